import { z } from 'zod';
import { Coverage } from './coverage.js';
import { RUNG_NAMES } from './filters.js';
import { Count, Instant } from './parts.js';

const Kind = z.enum(['agent', 'bot', 'system']);

const Values = z
  .record(z.string(), z.unknown())
  .nullable()
  .describe(
    "Values by column. Null if there was no row, or if it was another tenant's. Numbers are exactly as PostgreSQL printed them and may exceed a double: parse them as decimals if that matters. NaN and infinities are strings. So is json that some parsers refuse: deeper than 60 levels, or with an escape for half of a surrogate pair.",
  );
const Labels = z.record(z.string(), z.string()).describe('Labels of the values, by column.');
const ValueChange = z.object({
  column: z.string(),
  member: z
    .string()
    .optional()
    .describe(
      'In JSON: the names that lead to the member, joined by dots, as `smtp.port`. A name that has a dot is in quotes. `[0]` is an index in a list.',
    ),
  removed: z
    .array(z.string())
    .describe(
      'The label of the value, or JSON. For an array: the removed elements. For a bit mask: the removed bits.',
    ),
  added: z.array(z.string()),
  more: Count.optional().describe('Further differences, which are not listed.'),
  notCompared: z
    .literal(true)
    .optional()
    .describe('One of the values has more than 65,536 characters. Differences within it are not determined.'),
});
const Person = z.object({ key: z.string(), name: z.string(), kind: Kind });
const Columns = z.array(z.string());

/**
 * An entry. Its numbers are sent as the text that PostgreSQL printed (trail/read/json.ts). A schema cannot
 * express that.
 */
export const Entry = z.object({
  id: z.string().describe('Opaque. Ids grow in commit order.'),
  committedAt: Instant.describe(
    'Commit time of the source transaction in UTC, with microseconds. In a baseline: when the rows were read.',
  ),
  modifier: z.object({
    key: z.string().nullable(),
    name: z.string(),
    kind: Kind.nullable().describe(
      "Null if it is not known who made the change, in Waltrail's own entries, and in baselines.",
    ),
    rung: z
      .enum(RUNG_NAMES)
      .describe(
        'How the modifier was found: by a logical message ("message"), by a row that the application added to its own audit table ("witness"), by the modifier column ("column"), or by what the session stated about itself ("session"). "unattributed": the modifier was not found. "waltrail": the entry is Waltrail\'s own. "baseline": the entry is no change, but a row that existed already, so it has no modifier.',
      ),
    actingAs: Person.optional().describe(
      'The person in whose name the modifier acted, if a logical message stated it. Example: a customer, while an administrator is logged in as this customer. The modifier is the administrator.',
    ),
  }),
  action: z.string().describe('The category, which the filter takes.'),
  actionName: z.string().optional().describe('The text to show for the action, if the YAML has one.'),
  entity: z.object({
    type: z.string(),
    name: z.string().nullable(),
    id: z
      .string()
      .nullable()
      .describe(
        'For a key of several columns: their values, joined by commas. A comma or backslash in a value has a backslash before it.',
      ),
    previousId: z.string().optional().describe('The previous id, if the update changed it.'),
  }),
  tenant: z.string().nullable(),
  moved: z
    .object({
      side: z
        .enum(['both', 'arrived', 'left'])
        .describe(
          'What the token sees. A token for one tenant sees "arrived" (without previous values) or "left" (without updated values and context, with the previous name and id). "both": the token sees all tenants.',
        ),
      previousTenant: z
        .string()
        .nullable()
        .optional()
        .describe('Only with "both". Null: the row had no tenant.'),
    })
    .optional()
    .describe('Present if the update moved the row from one tenant to another.'),
  previous: Values,
  updated: Values,
  labels: z.object({ previous: Labels, updated: Labels }).optional(),
  changes: z
    .array(ValueChange)
    .optional()
    .describe('Differences within the values of an update: members of JSON, elements of arrays, bits.'),
  jsonNulls: z
    .object({ previous: Columns, updated: Columns })
    .optional()
    .describe('Columns whose value is the JSON null. In the values, it looks like an SQL null.'),
  instants: Columns.optional().describe(
    'Columns of type timestamptz. The text of their values is an instant with the offset that PostgreSQL printed.',
  ),
  unknown: Columns.optional().describe(
    'Columns without a known value: the source did not send it, or it was too large to be stored.',
  ),
  tooLarge: z
    .array(
      z.object({
        side: z.enum(['previous', 'updated']),
        column: z.string(),
        bytes: Count,
        sha256: z.string().describe('SHA-256 of the value as PostgreSQL printed it, in hexadecimal digits.'),
      }),
    )
    .optional()
    .describe(
      'Length and digest of values that were too large: one alone to be stored, or all together for an answer.',
    ),
  table: z.string(),
  operation: z
    .enum(['insert', 'update', 'delete', 'truncate', 'baseline'])
    .describe('"baseline": not a change, but a row that existed already when its table began to be tracked.'),
  transaction: z.object({
    xid: z.string(),
    commitLsn: z.string(),
    seq: z.int().describe("Negative in Waltrail's own entries and in baselines."),
    origin: z
      .string()
      .optional()
      .describe('Replication origin, if the transaction was replicated to the source from another server.'),
    claimedCommitAt: z
      .string()
      .optional()
      .describe(
        'Commit time that the source stated, if it cannot be shown, such as "infinity". committedAt is then the commit time of the previous transaction.',
      ),
  }),
  context: z.unknown().nullable().describe('JSON from a logical message of the application.'),
  session: z
    .object({
      user: z.string().describe('The login of the database.'),
      role: z.string().optional().describe('The role that the session has set.'),
      application: z.string().optional().describe('application_name.'),
      address: z
        .string()
        .optional()
        .describe('Address of the client, or of the pooler between client and source.'),
    })
    .optional()
    .describe('The session that made the change, if the YAML has `session`.'),
  unreadMessage: z
    .object({ lsn: z.string(), reason: z.string() })
    .optional()
    .describe(
      'The logical message for this change, if it was not understood completely, or was passed over because its signature is missing or wrong.',
    ),
  lastSetBy: Person.optional().describe(
    "The person that the row's modifier column names, in an unattributed entry. This change did not set the column, or it is not known whether it did. Only a hint: filters, counts and action rules do not use it as the modifier.",
  ),
  conflict: Person.extend({ rung: z.enum(['witness', 'column', 'session']) })
    .optional()
    .describe(
      'The person that a lower rung names, if it differs from the modifier, whom a higher rung names. The lower rung is an audit row about this row, the modifier column that this change set, an audit row about another row, or the session. Among several, the first in this order.',
    ),
  laterKey: z
    .literal(true)
    .optional()
    .describe(
      'The entity id (or its absence) is derived from the primary key that the table had when the source was read, after this change. At the time of the change the table may have had another primary key.',
    ),
});

export const EntryPage = z.object({
  items: z.array(Entry),
  next: z.string().nullable().describe('Cursor of the next page. Null at the end.'),
  coverage: Coverage,
});

export const Facet = z.object({
  value: z
    .string()
    .describe(
      'The value that the filter takes. For modifiers, the empty text stands for unattributed entries.',
    ),
  name: z.string().describe('At most 200 characters. A longer name is cut and ends with an ellipsis.'),
  kind: Kind.nullable().optional().describe('Only for modifiers. Null: unattributed.'),
  count: Count,
});

const More = z
  .object({ values: Count, entries: Count })
  .describe('The number of further values, which are not listed, and of their entries.');

/** The most frequent values of one dimension in the range, most entries first. */
export const FacetList = z.object({ items: z.array(Facet), more: More });

/** The most frequent values of every dimension. */
export const Facets = z.object({
  modifiers: z.array(Facet),
  actingAs: z.array(Facet).describe('The persons in whose names modifiers acted.'),
  actions: z.array(Facet),
  entityTypes: z.array(Facet),
  tenants: z.array(Facet),
  more: z
    .object({ modifiers: More, actingAs: More, actions: More, entityTypes: More, tenants: More })
    .describe('Values that each list leaves out. GET /v1/facets/:list?search= finds them.'),
});
