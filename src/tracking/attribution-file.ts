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
      column: column.describe('The column that tells agents, bots and the system apart.'),
      bot: z
        .array(scalar, { error: sentence('must be a list of values') })
        .default([])
        .describe('Its values for bots.'),
      system: z
        .array(scalar, { error: sentence('must be a list of values') })
        .default([])
        .describe('Its values for the system.'),
    })
    .optional()
    .describe('Which modifiers are bots or the system. All others are agents.'),
});

/** What the YAML may call a table of modifiers. */
const tableOfModifiers = word('a name of a table of modifiers');

/** One table, or several by name: {@link isSeveral} says which is meant. */
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
    'Turns the key that attribution found into a name and a kind, as of the change. Several tables have names: { agents: { table: … }, contacts: { table: … } }. The first is the one of logical messages and of every rule without as; keys of the others are shown with their names, as contacts:7.',
  );

const KeyOfFile = z
  .union(
    [
      tableOfModifiers,
      z
        .record(
          column,
          z
            .record(z.string(), tableOfModifiers, { error: sentence('must be values with their tables') })
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
    'Whose key it is: a name under modifiers, or a column of the same row that says so: { sender_type: { User: agents, Contact: contacts } }. Without it: the first.',
  );

const operation = z.enum(['insert', 'update'], {
  error: sentence('must be insert or update: a row that is deleted does not say who deleted it'),
});

const ModifierRuleFile = z.strictObject({
  column: column.describe('The column that holds who made the change.'),
  always_set: z
    .boolean({ error: sentence('must be true or false') })
    .default(false)
    .describe(
      'The application sets the column with each update, so it names who made the update also where it did not change.',
    ),
  as: KeyOfFile.optional(),
  on: z
    .union([operation, z.array(operation).min(1, 'names no operation')], {
      error: sentence(
        'must be insert, update or a list of both: a row that is deleted does not say who deleted it',
      ),
    })
    .optional()
    .describe('Operations the rule is for. Without it: insert and update.'),
  action: z
    .union([word('an action category'), z.array(word('an action category')).min(1, 'names no action')], {
      error: sentence('must be an action category or a list of them'),
    })
    .optional()
    .describe(
      'Actions the rule is for, such as login. With it the column may be the id of the row itself: whoever logs in is the row.',
    ),
  when: conditions
    .optional()
    .describe('Columns of the row and the value, or values, of which one must match, or { not: … }.'),
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
    'The column that holds who made the change, as updated_by (the rung column of attribution), or a list, of which the first counts that fits and names somebody. An update is attributed to whom it names only where the update altered it; { column: updated_by, always_set: true } says that the application sets it with each update, also to the value that it had. false: none, whatever is taken over.',
  );

const RowFile = z
  .strictObject({
    key: column.describe('The column that holds the primary key of the row.'),
    table: table.optional().describe('The table of the row, where it is always the same.'),
    type: column.optional().describe('The column that says of which table the row is.'),
    types: z
      .record(z.string(), table, { error: sentence('must be types with their tables') })
      .refine((types) => Object.keys(types).length > 0, { error: 'names no type' })
      .optional()
      .describe(
        'Tables by type: { User: public.users }. A type that is not here speaks for no row. Without it types are matched to tables by the conventions of Rails, Django, Odoo and Laravel.',
      ),
  })
  .check(({ value, issues }) => {
    const problem = (path: string[], message: string): void =>
      void issues.push({ code: 'custom', path, message, input: value, continue: true });
    if (value.table === undefined && value.type === undefined)
      problem([], 'needs table, or type where the table is in a column');
    if (value.table !== undefined && value.type !== undefined)
      problem(['type'], 'stands beside table; keep one');
    if (value.types !== undefined && value.type === undefined)
      problem(['types'], 'needs type, the column that holds them');
  });

/** `attribution`. */
export const AttributionFile = z
  .array(
    z.strictObject({
      table: table.describe(
        'An audit table of the application, as schema.table: a row that a transaction adds to it says who made the changes of this transaction. It need not be tracked.',
      ),
      modifier: column.describe('The column that holds who made the changes.'),
      prefix: text('what stands before the key')
        .min(1, 'must be what stands before the key, not empty')
        .max(63, 'is longer than 63 characters')
        .optional()
        .describe(
          'What stands before the key in that column: membership/ where it holds membership/7. A value that begins otherwise is for the next rule of the table.',
        ),
      as: KeyOfFile.optional(),
      when: conditions
        .optional()
        .describe(
          'What a row of the audit table has to be: columns and the value, or values, of which one must match, or { not: … }.',
        ),
      row: RowFile.optional().describe(
        'The row that a row of the audit table speaks for. Without it: for all changes of its transaction, where no other disagrees.',
      ),
    }),
    { error: sentence('must be a list of audit tables') },
  )
  .min(1, 'names no table')
  .describe(
    'Audit tables of the application, whose new rows name who made the changes of their transaction (the rung witness of attribution).',
  );

export type AttributionFile = z.output<typeof AttributionFile>;
export type ModifiersFile = z.output<typeof ModifiersFile>;
export type ModifierFile = z.output<typeof ModifierFile>;
export type KeyOfFile = z.output<typeof KeyOfFile>;

/** Whether `modifiers` means several tables by name, and not one. */
export const isSeveral = (
  modifiers: ModifiersFile,
): modifiers is Extract<ModifiersFile, Record<string, z.output<typeof ModifiersTable>>> =>
  Object.values(modifiers).every((value) => typeof value === 'object' && value !== null);
