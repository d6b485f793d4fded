import { z } from 'zod';
import { memberPath } from './member-path.js';
import { canonicalName, isPattern } from './names.js';
import { parseTemplate } from './template.js';

/**
 * Parts of the YAML's schema. A message completes a sentence that begins with the key. It never repeats a
 * value, which may be a misplaced password.
 */

export const sentence =
  (message: string) =>
  (issue: { readonly input?: unknown }): string =>
    issue.input === undefined ? 'is missing' : message;

export const text = (what: string) => z.string({ error: sentence(`must be ${what}`) });

export const column = text('a column name')
  .min(1, 'must be a column name, not empty')
  .max(63, 'is longer than a column name can be');
export const columns = z.union([column, z.array(column).min(1, 'names no column')], {
  error: sentence('must be a column name or a list of column names'),
});

/** A column, or a member of its JSON: `settings.plan`, `settings."a.b"`. */
export const columnOrMember = text('a column name')
  .min(1, 'must be a column name, not empty')
  .max(255, 'is longer than a column with a path in it can be')
  .refine((value) => value.length <= 63 || memberPath(value) !== null, {
    error: 'is longer than a column name can be',
  });
export const columnsOrMembers = z.union([columnOrMember, z.array(columnOrMember).min(1, 'names no column')], {
  error: sentence('must be a column name or a list of column names'),
});

export const table = text('a table name').refine(
  (value) => canonicalName(value) !== undefined && !isPattern(value),
  {
    error: 'must be a table as schema.table, without *',
  },
);
export const tablePattern = text('a table pattern').refine((value) => canonicalName(value) !== undefined, {
  error: 'must be schema.table, with * as wildcard (quote a name that has a dot in it)',
});

export const template = text('a template such as "{full_name}"').check((context) => {
  const parsed = parseTemplate(context.value);
  if (typeof parsed === 'string')
    context.issues.push({ code: 'custom', message: parsed, input: context.value, continue: true });
});

export const scalar = z.union([z.string(), z.number(), z.boolean(), z.null()], {
  error: sentence('must be text, a number, true, false or null'),
});
export const operation = z.enum(['insert', 'update', 'delete', 'truncate'], {
  error: sentence('must be insert, update, delete or truncate'),
});
export const word = (what: string) =>
  text(what).regex(
    /^[a-z][a-z0-9_]{0,62}$/,
    `must be ${what}: lower-case letters, digits and _, beginning with a letter`,
  );

/** A text that is shown instead of an id, in any language. */
export const shownText = text('a text')
  .min(1, 'must be a text, not empty')
  .max(100, 'is longer than 100 characters')
  .refine((value) => !/[\p{Cc}\p{Cs}]/u.test(value), {
    error: 'must be one line, without control characters',
  });

/** A word, or several words separated by single blanks. */
export const entityType = text('an entity type').regex(
  /^[a-z][a-z0-9_]{0,62}(?: [a-z0-9_]{1,62}){0,7}$/,
  'must be an entity type: lower-case letters, digits, _ and single blanks, beginning with a letter',
);

/** The keys of a lookup table. */
export const labelShape = {
  table: table.describe(
    'The table that holds the words, as schema.table. Waltrail follows it in the stream.',
  ),
  key: column.describe('The column of that table that holds the key, usually its primary key.'),
  name: template.describe(
    'The word, from columns of that table in braces: "{full_name}". {{ and }} stand for braces.',
  ),
  tenant: column
    .optional()
    .describe(
      'The column of that table that holds the tenant. Only readers of this tenant see the words. Without it: the tenant column by which the table is tracked. If there is none, all readers see the words.',
    ),
};
