import { z } from 'zod';
import { ActionFile, conditions } from './action-schema.js';
import { AttributionFile, ModifierFile, ModifiersFile } from './attribution-file.js';
import { MAX_PUBLICATION_WITH_TRIGGER } from './event-trigger.js';
import { urlProblem } from '../pg/url.js';
import { columnName } from './names.js';
import { DEFAULT_BASELINE_ROWS, MOST_BASELINE_ROWS } from './rules.js';
import { didYouMean } from './nearest.js';
import {
  column,
  columnOrMember,
  columns,
  entityType,
  labelShape,
  operation,
  sentence,
  shownText,
  table,
  tablePattern,
  template,
  text,
  word,
} from './schema-parts.js';
import { SessionFile } from './session-file.js';

/**
 * The YAML's shape, as the one definition for the loader's checks and config/waltrail.schema.json. A message
 * completes a sentence that begins with the key. It never repeats a value, which may be a misplaced password.
 */

/** The number of hexadecimal digits in 128 bits. */
const MIN_KEY_CHARACTERS = 32;
/** Each message is checked with each key, so the number is limited. */
const MAX_KEYS = 4;

const DURATION = /^([0-9]{1,6})([mhd])$/;
const UNIT_MS = { m: 60_000, h: 3_600_000, d: 86_400_000 } as const;

/** Returns the milliseconds of `7d`, `12h` or `30m`; undefined for anything else and for zero. */
export function parseDuration(value: string): number | undefined {
  const match = DURATION.exec(value);
  const ms = match === null ? 0 : Number(match[1]) * UNIT_MS[match[2] as keyof typeof UNIT_MS];
  return ms === 0 ? undefined : ms;
}

const isTimezone = (value: string): boolean => {
  // A bare offset is refused: PostgreSQL and JavaScript disagree about its sign.
  if (!/^[A-Za-z]/.test(value)) return false;
  try {
    new Intl.DateTimeFormat('en', { timeZone: value });
    return true;
  } catch {
    return false;
  }
};

const url = text('a postgres:// URL').refine((value) => urlProblem(value) === undefined, {
  error: ({ input }) => urlProblem(String(input)),
});

const identifier = text('a name').regex(
  /^[a-z_][a-z0-9_]{0,62}$/,
  'must be lower-case letters, digits and _, at most 63',
);

const LabelOfTable = z.strictObject(labelShape);

const LabelFile = z.union(
  [
    LabelOfTable,
    z
      .strictObject({
        type: column.describe('The column of the row that holds the type, which names the table of the key.'),
        types: z
          .record(z.string(), LabelOfTable, {
            error: sentence('must be a mapping from types to label rules'),
          })
          .refine((types) => Object.keys(types).length > 0, { error: 'names no value' })
          .describe('Label rules by type. Keys of other types have no words.'),
      })
      .describe('For a column with keys of several tables: { type: item_type, types: { Task: { … } } }.'),
  ],
  { error: sentence('must be table, key and name, or type and types') },
);

const aWord = text('a word').min(1, 'must be a word, not empty');

/** The key under which words for the bits of a number stand. */
const BITS = 'bits';
const BIT = /^(?:0|[1-9][0-9]{0,4})$/;

const WordsFile = z
  .record(z.string(), z.union([aWord, z.record(z.string(), aWord)], { error: sentence('must be a word') }), {
    error: sentence('must be a mapping from stored values to words'),
  })
  .check(({ value, issues }) => {
    const problem = (path: string[], message: string): void => {
      issues.push({ code: 'custom', path, message, input: value, continue: true });
    };
    for (const [key, words] of Object.entries(value)) {
      if (typeof words === 'string') continue;
      if (key !== BITS) {
        problem([key], `must be a word; put words for bits under bits.${didYouMean(key, [BITS])}`);
        continue;
      }
      if (Object.keys(value).length > 1)
        problem([key], 'cannot be combined with other values; a bit mask has only bits');
      for (const bit of Object.keys(words))
        if (!BIT.test(bit))
          problem([key, bit], 'must be the position of a bit: 0 is the lowest, whose value is 1');
    }
  });

const TenantOfFile = z
  .strictObject({
    via: column.describe('The column that refers to a row of another table.'),
    table: table.describe(
      'The table of that row, as schema.table. Waltrail follows it in the stream, so the tenant is the one at the time of the change.',
    ),
    key: column.describe('The column of that table that via refers to, usually its primary key.'),
    tenant: column
      .optional()
      .describe(
        'The column of that table that holds the tenant. Without it: as that table is tracked, possibly by another join.',
      ),
  })
  .describe('Takes the tenant from a row of another table.');

const BaselineFile = z
  .union(
    [
      z.boolean(),
      z.strictObject({
        max_rows: z
          .int({ error: sentence('must be a whole number') })
          .min(1, 'must be at least 1')
          .max(MOST_BASELINE_ROWS, `must be at most ${MOST_BASELINE_ROWS}`)
          .optional()
          .describe(`A table with more rows gets no baseline. Without it: ${DEFAULT_BASELINE_ROWS}.`),
      }),
    ],
    { error: sentence('must be true, false or { max_rows: N }') },
  )
  .describe(
    `One entry for each row that exists when tracking of the table begins, or when this key is added. The entry states that the row existed, and names no modifier. For small tables such as roles and settings. A table with more than ${DEFAULT_BASELINE_ROWS} rows, or than max_rows, gets no baseline.`,
  );

const TableKeys = z.strictObject({
  entity: entityType
    .optional()
    .describe(
      "The entity type in the administrator's words: conversation, customer, agent. Without it: the singular of the table's name, agent bot for public.agent_bots.",
    ),
  name: z
    .union([template, z.literal(false)], {
      error: sentence('must be a template such as "{full_name}", or false'),
    })
    .optional()
    .describe(
      'The entity name, from columns in braces: "{full_name}". "{nick|name}" is the first of these columns that has text. "{team_id.owner_id}" is a column of the row that team_id refers to by its label, over at most two tables. Without it: the first of name, full_name, title, subject, label, email and similar columns that the table has. false: the entity id is shown.',
    ),
  id: columns.optional().describe('The column or columns of the entity id. Without it: the primary key.'),
  modifier: ModifierFile.optional(),
  tenant: z
    .union([column, TenantOfFile, z.literal(false)], {
      error: sentence('must be a column name, { via: …, table: …, key: … }, or false'),
    })
    .optional()
    .describe(
      'The column that holds the tenant, or the row of another table that has it. false: rows have no tenant, even if extends or defaults names one.',
    ),
  columns: z
    .array(column, { error: sentence('must be a list of column names') })
    .min(1, 'names no column')
    .optional()
    .describe('Earlier name of only.'),
  new_partitions: z
    .literal('may_refuse_writes', { error: sentence('must be may_refuse_writes') })
    .optional()
    .describe(
      'Accepts a partitioned table without primary key and without source.event_trigger: PostgreSQL refuses updates and deletes of its new partitions until waltrail apply has run.',
    ),
  ignore: z
    .array(column, { error: sentence('must be a list of column names') })
    .optional()
    .describe(
      'Columns to ignore: an update of these alone makes no entry. * stands for any characters. A pattern does not ignore a column that an action of the table names under changed.',
    ),
  labels: z
    .record(columnOrMember, LabelFile, { error: sentence('must be a mapping from columns to label rules') })
    .optional()
    .describe(
      'Columns with keys of other tables, and where the words for these keys are: in one table, or by type in several. In an array each element is a key. settings.owner_id is a member of the JSON in column settings.',
    ),
  values: z
    .record(columnOrMember, WordsFile, { error: sentence('must be a mapping from columns to words') })
    .optional()
    .describe(
      'Words for stored values: status: { 1: online, 2: away }. In an array they apply to the elements. settings.plan is a member of the JSON in column settings. For a bit mask: flags: { bits: { 0: visible, 1: pinned } }.',
    ),
  actions: z
    .array(ActionFile, { error: sentence('must be a list of rules') })
    .optional()
    .describe(
      'Action categories. The first rule that matches wins. Otherwise insert is add, update is edit, delete and truncate are delete.',
    ),
  one_history: z
    .literal(true, { error: sentence('must be true') })
    .optional()
    .describe(
      'Gives all tables that the pattern matches one entity type: rows of these tables with the same id then share one history.',
    ),
  extends: tablePattern
    .optional()
    .describe(
      'A key of tables. This table takes over from it all keys that it does not have itself, except entity and one_history.',
    ),
  only: z
    .array(column, { error: sentence('must be a list of column names') })
    .min(1, 'names no column')
    .optional()
    .describe(
      'The only columns with stored values. Columns that other keys of this table show are added: the entity id, name, modifier, tenant, labels and values. * stands for any characters. Later columns are not stored either.',
    ),
  except: z
    .array(column, { error: sentence('must be a list of column names') })
    .optional()
    .describe(
      'Columns whose values are not stored, except those that other keys of this table show. * stands for any characters.',
    ),
  baseline: BaselineFile.optional(),
  operations: z
    .array(operation, { error: sentence('must be a list of insert, update, delete and truncate') })
    .min(1, 'names no operation')
    .optional()
    .describe('The only operations that make entries. Others are only counted.'),
  where: conditions
    .optional()
    .describe(
      'Conditions on rows: changes of other rows make no entries. Columns, each with the value that must match, a list where one must match, or { not: … }. An update counts if the row matches before or after it. A value that was not sent matches.',
    ),
});

type TableKeys = z.output<typeof TableKeys>;
type TableIssues = { readonly value: TableKeys; readonly issues: z.core.$ZodRawIssue[] };

const TableFile = TableKeys.check(({ value, issues }: TableIssues) => {
  const problem = (path: string[], message: string): void => {
    issues.push({ code: 'custom', path, message, input: value, continue: true });
  };
  for (const name of Object.keys(value.labels ?? {}))
    if (Object.hasOwn(value.values ?? {}, name))
      problem(['labels', name], 'has words under values as well; keep one');
  if (value.columns !== undefined && value.only !== undefined)
    problem(['columns'], 'is the earlier name of only, which is also set; remove columns');
  if (value.one_history !== undefined && value.entity === undefined)
    problem(['one_history'], 'needs entity: without it each table has an entity type of its own');
});

/** Keys that tables take over from `defaults`. Keys that identify one table are not among them. */
const DefaultsFile = TableKeys.omit({
  entity: true,
  id: true,
  columns: true,
  one_history: true,
  extends: true,
});

const REDACT_WITH = 'must be drop, mask, hash or { truncate: N } with N from 1';

const redactColumn = text('a column name')
  .min(1, 'must be a column name, not empty')
  .max(255, 'is longer than a column with a path in it can be');

const RedactFile = z.strictObject({
  columns: z
    .array(redactColumn, { error: sentence('must be a list of column names') })
    .min(1, 'names no column')
    .describe(
      'Column names, ignoring case. * stands for any characters. They also apply to members of json, jsonb and hstore, and of the context of logical messages. settings.smtp.password is the member at that path in column settings.',
    ),
  tables: z
    .array(tablePattern, { error: sentence('must be a list of table patterns') })
    .min(1, 'names no table')
    .optional()
    .describe(
      'The tables that the rule applies to, as schema.table with * as wildcard. Without it: every table.',
    ),
  with: z
    .union(
      [
        z.enum(['drop', 'mask', 'hash']),
        z.string().regex(/^truncate: ?[1-9][0-9]{0,5}$/, REDACT_WITH),
        z.strictObject({
          truncate: z
            .int({ error: sentence('must be a whole number') })
            .min(1, 'must be at least 1')
            .max(999_999, 'must be below 1000000'),
        }),
      ],
      { error: sentence(REDACT_WITH) },
    )
    .describe(
      'drop: leave the column out. mask: store ***. hash: store a hash, so that equal values stay recognisable. truncate: store the first N characters.',
    ),
});

/** The whole file. Every level refuses unknown keys. Keys are in snake_case. */
export const TrackingFile = z.strictObject({
  source: z
    .strictObject({
      name: text('a name')
        .regex(
          /^[a-z][a-z0-9_-]{0,62}$/,
          'must be lower-case letters, digits, _ and -, beginning with a letter',
        )
        .describe('Names the source in the trail, metrics and logs. Do not change it later.'),
      url: url.describe('Connection URL of the tracked database; the user needs REPLICATION.'),
      slot: identifier
        .optional()
        .describe(
          'Name of the replication slot. Without it: the slot that the trail already uses, else waltrail_ and the name of the source.',
        ),
      publication: identifier.default('waltrail').describe('Name of the publication.'),
      on_gap: z
        .enum(['stop', 'continue'], { error: 'must be stop or continue' })
        .default('stop')
        .describe(
          'After a gap is recorded: stop until an operator accepts it (waltrail gaps --accept), or continue at once.',
        ),
      event_trigger: z
        .boolean({ error: sentence('must be true or false') })
        .default(false)
        .describe(
          'Lets waltrail apply install event triggers on the source (as a superuser). They adapt replica identities to migrations, so that PostgreSQL never refuses writes to published tables. They also report commands that change a tracked table without a row message, with who ran them.',
        ),
      on_new_table: z
        .enum(['report', 'apply', 'follow'], { error: sentence('must be report, apply or follow') })
        .default('report')
        .describe(
          'What happens with a new table that the YAML tracks. report: a trouble, and a gap until waltrail apply. apply: capture publishes it within seconds, if its role may. follow: it is captured from its first row (needs PostgreSQL 15 or later, a superuser for waltrail apply, and event_trigger: true).',
        ),
    })
    .check(({ value, issues }) => {
      if (value.on_new_table !== 'follow' || value.event_trigger) return;
      issues.push({
        code: 'custom',
        path: ['on_new_table'],
        message:
          'must not be follow without event_trigger: true, which gives new tables the replica identity that they need',
        input: value,
        continue: true,
      });
    })
    .check(({ value, issues }) => {
      if (!value.event_trigger || value.publication.length <= MAX_PUBLICATION_WITH_TRIGGER) return;
      issues.push({
        code: 'custom',
        path: ['publication'],
        message: `must be at most ${MAX_PUBLICATION_WITH_TRIGGER} characters with event_trigger: true`,
        input: value,
        continue: true,
      });
    })
    .describe('The tracked database.'),
  trail: z
    .strictObject({
      url: url.describe(
        'Connection URL of the audit database, with the login of its owner, who creates its tables. Once the tables exist, any login works.',
      ),
      urls: z
        .strictObject({
          writer: url.optional().describe('URL with a login in role waltrail_writer, which stores entries.'),
          reader: url.optional().describe('URL with a login in role waltrail_reader, which reads entries.'),
          api: url
            .optional()
            .describe(
              'URL with a login in role waltrail_api, which keeps sessions, the access record and exports.',
            ),
          keeper: url
            .optional()
            .describe(
              'URL with a login in role waltrail_keeper, which creates partitions and applies the retention.',
            ),
        })
        .optional()
        .describe(
          'Connection URLs with logins that have one role of the trail each, and nothing more. A role without such a URL uses the login of url.',
        ),
      retention: text('a duration in days such as 400d, or forever')
        .refine((value) => value === 'forever' || (parseDuration(value) ?? 1) % UNIT_MS.d === 0, {
          error: 'must be a duration in whole days such as 400d, or forever',
        })
        .optional()
        .describe('How long entries are kept, such as 400d. forever, or without it: no entry is removed.'),
    })
    .describe('The audit database.'),
  reports: z
    .strictObject({
      max_range: text('a duration such as 7d')
        .refine((value) => parseDuration(value) !== undefined, {
          error: 'must be a duration such as 7d or 12h',
        })
        .default('7d')
        .describe('The longest time range that one page or export may cover: 7d, 12h.'),
      timezone: text('a time zone')
        .refine(isTimezone, { error: 'must be a time zone such as UTC or Asia/Jerusalem' })
        .default('UTC')
        .describe('Time zone of the page, and of exports that ask for no other.'),
    })
    .default({ max_range: '7d', timezone: 'UTC' })
    .describe('Reading and exporting.'),
  modifiers: ModifiersFile.optional(),
  attribution: AttributionFile.optional(),
  session: SessionFile.optional(),
  messages: z
    .strictObject({
      trust_names: z
        .boolean({ error: sentence('must be true or false') })
        .default(false)
        .describe(
          'Names and kinds in logical messages win over those of the modifiers table. Set this only if nobody but the application can send messages: a single message then renames a modifier for everybody.',
        ),
      signing_keys: z
        .array(
          text('a key, as "${WALTRAIL_MESSAGE_KEY}"').min(
            MIN_KEY_CHARACTERS,
            `must be at least ${MIN_KEY_CHARACTERS} characters long`,
          ),
          { error: sentence('must be a list of keys, as ["${WALTRAIL_MESSAGE_KEY}"]') },
        )
        .max(MAX_KEYS, `has more than ${MAX_KEYS} keys`)
        .default([])
        .describe(
          'Keys, from the environment. Each logical message has to be signed with one of them; any other message is passed over and marked. Several keys allow replacing one. Without keys, messages need no signature.',
        ),
    })
    .default({ trust_names: false, signing_keys: [] })
    .describe('How far logical messages are believed.'),
  redact: z
    .array(RedactFile, { error: sentence('must be a list of rules') })
    .default([])
    .describe(
      'Redaction of secrets and personal data before anything is stored. The first rule that matches a column wins.',
    ),
  secrets: z
    .strictObject({
      defaults: z
        .boolean({ error: sentence('must be true or false') })
        .default(true)
        .describe(
          'Masks values that look like secrets by the name of their column or member (text, bytea, json, jsonb, hstore; never key, id, modifier or tenant columns), and bearer tokens and passwords in URLs.',
        ),
      allow: z
        .array(
          text('a column').refine((value) => columnName(value) !== undefined, {
            error:
              'must be schema.table.column (for JSON followed by .member), or a single name for every table; * is a wildcard',
          }),
          { error: sentence('must be a list of columns') },
        )
        .default([])
        .describe(
          'Columns that look like secrets and are none: schema.table.column, schema.table.column.member for JSON, or a single name for every table and context.',
        ),
    })
    .default({ defaults: true, allow: [] })
    .describe('Secrets that are masked without a rule of their own. Rules of redact come first.'),
  defaults: DefaultsFile.optional().describe(
    'Keys for every table that does not have them itself. labels and values are taken over column by column.',
  ),
  tables: z
    .record(tablePattern, TableFile.nullable(), { error: sentence('must be a mapping from tables to rules') })
    .refine((value) => Object.keys(value).length > 0, { error: 'names no table' })
    .describe(
      'Tracked tables, as schema.table or as a pattern such as public.*. Exact names win over patterns.',
    ),
  action_names: z
    .record(word('an action category'), shownText, {
      error: sentence('must be a mapping from action categories to texts'),
    })
    .optional()
    .describe(
      'Texts for action categories on the page, in facets and in files, in any language: block: "Blockiert". Filters still use the category.',
    ),
  exclude: z
    .array(tablePattern, { error: sentence('must be a list of table patterns') })
    .default([])
    .describe('Tables that no pattern may track, as schema.table with * as wildcard.'),
});

export type TrackingFile = z.output<typeof TrackingFile>;

/**
 * Returns the JSON Schema (draft 7) of the file, for editors. `npm run schema` writes it to
 * config/waltrail.schema.json.
 */
export function trackingJsonSchema(): Record<string, unknown> {
  const { $schema, ...rest } = z.toJSONSchema(TrackingFile, { target: 'draft-7', io: 'input' });
  return { $schema, title: 'Configuration of Waltrail', ...rest };
}
