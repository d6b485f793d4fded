import { z } from 'zod';
import { conditions } from './action-schema.js';
import { column, labelShape, scalar, sentence, table, text, word } from './schema-parts.js';

/*
 * The shapes of the keys by which attribution finds who made a change: `modifiers`, `attribution`, and
 * `modifier` of a table.
 */

const ModifiersTable = z.strictObject({
  ...labelShape,
  kind: z
    .strictObject({
      column: column.describe('The column that distinguishes agents, bots and the system.'),
      bot: z
        .array(scalar, { error: sentence('must be a list of values') })
        .default([])
        .describe('Values of the column that mean a bot.'),
      system: z
        .array(scalar, { error: sentence('must be a list of values') })
        .default([])
        .describe('Values of the column that mean the system.'),
    })
    .optional()
    .describe('Which modifiers are bots or the system. All others are agents.'),
});

/** A name that the YAML gives to a table of modifiers. */
const tableOfModifiers = word('a name of a table of modifiers');

/** One table, or several by name; {@link isSeveral} distinguishes them. */
export const ModifiersFile = z
  .union(
    [
      ModifiersTable,
      z
        .record(tableOfModifiers, ModifiersTable)
        .refine((tables) => Object.keys(tables).length > 0, { error: 'names no table' }),
    ],
    { error: sentence('must be a table with key and name, or several of them by name') },
  )
  .describe(
    'Turns the key that attribution found into a name and a kind, as of the change. Several tables have names: { agents: { table: … }, contacts: { table: … } }. Logical messages and rules without as use the first one. Keys of the others are shown with the name of their table, as contacts:7.',
  );

const KeyOfFile = z
  .union(
    [
      tableOfModifiers,
      z
        .record(
          column,
          z
            .record(z.string(), tableOfModifiers, {
              error: sentence('must be a mapping from values to tables'),
            })
            .refine((tables) => Object.keys(tables).length > 0, { error: 'names no value' }),
        )
        .refine((columns) => Object.keys(columns).length === 1, { error: 'must name exactly one column' }),
    ],
    {
      error: sentence(
        'must be a name under modifiers, or a column with its values: { sender_type: { User: agents, Contact: contacts } }',
      ),
    },
  )
  .describe(
    'The table of modifiers that the key belongs to: a name under modifiers, or a column of the same row with its values: { sender_type: { User: agents, Contact: contacts } }. Without it: the first table under modifiers.',
  );

const operation = z.enum(['insert', 'update'], {
  error: sentence('must be insert or update: a deleted row does not say who deleted it'),
});

const ModifierRuleFile = z.strictObject({
  column: column.describe('The column that holds who made the change.'),
  always_set: z
    .boolean({ error: sentence('must be true or false') })
    .default(false)
    .describe(
      'The application sets the column with each update. So the column names who made the update even if its value did not change.',
    ),
  as: KeyOfFile.optional(),
  on: z
    .union([operation, z.array(operation).min(1, 'names no operation')], {
      error: sentence('must be insert, update or a list of both: a deleted row does not say who deleted it'),
    })
    .optional()
    .describe('The operations that the rule applies to. Without it: insert and update.'),
  action: z
    .union([word('an action category'), z.array(word('an action category')).min(1, 'names no action')], {
      error: sentence('must be an action category or a list of them'),
    })
    .optional()
    .describe(
      'The actions that the rule applies to, such as login. With it the column may be the id of the row itself: the user who logs in is that row.',
    ),
  when: conditions
    .optional()
    .describe(
      'Conditions on the row: columns, each with the value that must match, a list where one must match, or { not: … }.',
    ),
});

/** `modifier` of a table. */
export const ModifierFile = z
  .union(
    [
      column,
      ModifierRuleFile,
      z
        .array(
          z.union([column, ModifierRuleFile], {
            error: sentence('must be a column name, or { column: …, as: … }'),
          }),
        )
        .min(1, 'names no column'),
      z.literal(false),
    ],
    { error: sentence('must be a column name, { column: …, as: …, when: … }, a list of them, or false') },
  )
  .describe(
    'The column that holds who made the change, such as updated_by (the rung column of attribution), or a list of columns. The first column of a list that fits and names somebody counts. By default an update is attributed only if it changed the column. { column: updated_by, always_set: true } states that the application sets the column with each update, even to the same value. false: no column, even if extends or defaults names one.',
  );

const RowFile = z
  .strictObject({
    key: column.describe('The column that holds the primary key of the row.'),
    table: table.optional().describe('The table of the row, where it is always the same.'),
    type: column.optional().describe('The column that holds the type of the row, which leads to its table.'),
    types: z
      .record(z.string(), table, { error: sentence('must be a mapping from types to tables') })
      .refine((types) => Object.keys(types).length > 0, { error: 'names no type' })
      .optional()
      .describe(
        'Tables by type: { User: public.users }. Audit rows of any other type attribute no change. Without it, types are matched to tables by the conventions of Rails, Django, Odoo and Laravel.',
      ),
  })
  .check(({ value, issues }) => {
    const problem = (path: string[], message: string): void =>
      void issues.push({ code: 'custom', path, message, input: value, continue: true });
    if (value.table === undefined && value.type === undefined)
      problem([], 'needs table, or type where the table is in a column');
    if (value.table !== undefined && value.type !== undefined)
      problem(['type'], 'cannot be combined with table; keep one of them');
    if (value.types !== undefined && value.type === undefined)
      problem(['types'], 'needs type, the column that holds the types');
  });

/** `attribution`. */
export const AttributionFile = z
  .array(
    z.strictObject({
      table: table.describe(
        'An audit table of the application, as schema.table. A row that a transaction adds to it says who made the changes of that transaction. The table need not be tracked.',
      ),
      modifier: column.describe('The column that holds who made the changes.'),
      prefix: text('the text before the key')
        .min(1, 'must be the text before the key, not empty')
        .max(63, 'is longer than 63 characters')
        .optional()
        .describe(
          'The text before the key in that column: membership/ if it holds membership/7. A value that begins differently is left to the next rule for the table.',
        ),
      as: KeyOfFile.optional(),
      when: conditions
        .optional()
        .describe(
          'Conditions on the row of the audit table: columns, each with the value that must match, a list where one must match, or { not: … }.',
        ),
      row: RowFile.optional().describe(
        'The changed row that a row of the audit table speaks for. Without it, the audit row speaks for all changes of its transaction, unless another audit row disagrees.',
      ),
    }),
    { error: sentence('must be a list of audit tables') },
  )
  .min(1, 'names no table')
  .describe(
    'Audit tables of the application. Their new rows name who made the changes of the same transaction (the rung witness of attribution).',
  );

export type AttributionFile = z.output<typeof AttributionFile>;
export type ModifiersFile = z.output<typeof ModifiersFile>;
export type ModifierFile = z.output<typeof ModifierFile>;
export type KeyOfFile = z.output<typeof KeyOfFile>;

/** Whether `modifiers` has several tables by name, and not one table. */
export const isSeveral = (
  modifiers: ModifiersFile,
): modifiers is Extract<ModifiersFile, Record<string, z.output<typeof ModifiersTable>>> =>
  Object.values(modifiers).every((value) => typeof value === 'object' && value !== null);
