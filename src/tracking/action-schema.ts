import { z } from 'zod';
import { BASELINE_ACTION } from './rules.js';
import { columnOrMember, columnsOrMembers, operation, scalar, sentence, word } from './schema-parts.js';

/** The YAML's conditions on rows, and the rules for actions, which contain such conditions. */

const WANTED = 'must be a value, a list of values, or { not: … } with a value or a list';

const values = (error: string) =>
  z.union([scalar, z.array(scalar).min(1, 'names no value')], { error: sentence(error) });

const wanted = z.union(
  [
    scalar,
    z.array(scalar).min(1, 'names no value'),
    z.strictObject({
      not: values('must be a value or a list of values').describe(
        'Matches none of these values. null is SQL null, so { not: null } matches every value.',
      ),
    }),
  ],
  { error: sentence(WANTED) },
);
export type WantedFile = z.output<typeof wanted>;

/** Columns with the values that they must have. */
export const conditions = z.record(columnOrMember, wanted, {
  error: sentence('must be a mapping from columns to values'),
});

const UPDATE_ONLY = ['changed', 'from', 'to', 'increased', 'decreased'] as const;

/** The action of changes that make no entry. */
export const SKIP = 'skip';

export const ActionFile = z
  .strictObject({
    on: z
      .union([operation, z.array(operation).min(1, 'names no operation')], {
        error: sentence('must be insert, update, delete, truncate or a list of them'),
      })
      .describe('The operations that the rule applies to.'),
    changed: columnsOrMembers
      .optional()
      .describe(
        'Update only: at least one of these columns must differ. * stands for any characters. settings.plan is a member of the JSON in column settings.',
      ),
    from: wanted
      .optional()
      .describe(
        'Update only: the value of the column in changed before the update, a list of such values, or { not: … }. null is SQL null.',
      ),
    to: wanted
      .optional()
      .describe(
        'Update only: the value of the column in changed after the update, a list of such values, or { not: … }. null is SQL null.',
      ),
    increased: columnsOrMembers
      .optional()
      .describe('Update only: at least one of these columns, numbers or times, must be greater than before.'),
    decreased: columnsOrMembers
      .optional()
      .describe('Update only: at least one of these columns, numbers or times, must be less than before.'),
    when: conditions
      .optional()
      .describe(
        'Conditions on the row after the change (for a delete: before it). Each key is a column, or a member of its JSON. Its value is one that must match, a list where one must match, or { not: … }.',
      ),
    action: word('an action category')
      .refine((value) => value !== BASELINE_ACTION, {
        error: 'must not be baseline, which is the action of rows that existed before tracking began',
      })
      .describe(
        'The action category of the entry, such as block or login_failed. skip: the change makes no entry and is only counted.',
      ),
  })
  .check(({ value, issues }) => {
    const problem = (path: string, message: string): void => {
      issues.push({ code: 'custom', path: [path], message, input: value, continue: true });
    };
    const on = [value.on].flat();
    if (new Set(on).size < on.length) problem('on', 'names an operation twice');
    const updateOnly = on.every((item) => item === 'update');
    for (const key of UPDATE_ONLY) {
      if (key in value && !updateOnly)
        problem(key, 'is allowed only with on: update; write a separate rule for other operations');
    }
    const changed = [value.changed ?? []].flat();
    for (const key of ['from', 'to'] as const) {
      if (key in value && (changed.length !== 1 || changed[0]!.includes('*')))
        problem(key, 'needs exactly one column in changed');
    }
    if (value.when !== undefined && on.includes('truncate'))
      problem('when', 'cannot be used on truncate, which has no rows');
  });
export type ActionFile = z.output<typeof ActionFile>;
