import { z } from 'zod';
import { Coverage } from './coverage.js';
import { RUNG_NAMES } from './filters.js';
import { Count, Instant } from './parts.js';

const Kind = z.enum(['agent', 'bot', 'system']);

const Values = z
  .record(z.string(), z.unknown())
  .nullable()
  .describe(
    "Column to value; null where there was no row, or where it was another tenant's. Numbers are exactly as PostgreSQL printed them, whatever their size: parse them as decimals where that matters. NaN and infinities are strings. So is json that some parsers refuse: deeper than 60 levels, or with an escape for half of a surrogate pair.",
  );
const Labels = z.record(z.string(), z.string()).describe('Column to the word for its value.');
const ValueChange = z.object({
  column: z.string(),
  member: z
    .string()
    .optional()
    .describe(
      'Of JSON: names down to the member with dots between them, as `smtp.port`, in quotes where they have one; `[0]` is a place in a list.',
    ),
  removed: z
    .array(z.string())
    .describe('Its word, or JSON; of an array the elements, of a bit mask the bits that are gone.'),
  added: z.array(z.string()),
  more: Count.optional().describe('Further differences, which are not listed.'),
  notCompared: z
    .literal(true)
    .optional()
    .describe('One of the values has more than 65,536 characters; what differs within it is not looked for.'),
});
const Person = z.object({ key: z.string(), name: z.string(), kind: Kind });
const Columns = z.array(z.string());

/**
 * An entry. Its numbers are in the text that PostgreSQL printed (trail/read/json.ts), which no schema can
 * express.
 */
export const Entry = z.object({
  id: z.string().describe('Opaque; grows in commit order.'),
  committedAt: Instant.describe(
    'Commit time of the source transaction, UTC, microseconds; of a baseline when its rows were read.',
  ),
  modifier: z.object({
    key: z.string().nullable(),
    name: z.string(),
    kind: Kind.nullable().describe(
      "Null where nobody is known to have made the change, in entries of Waltrail's own and in baselines.",
    ),
    rung: z
      .enum(RUNG_NAMES)
      .describe(
        'How the modifier was found: by a logical message, by a row that the application has added to an audit table of its own ("witness"), by the modifier column, or by what the session said of itself ("session"); "unattributed": it was not; "waltrail": the entry is Waltrail\'s own; "baseline": it is no change, the row existed already, and nobody is said to have made it.',
      ),
    actingAs: Person.optional().describe(
      'In whose name the modifier acted, as an administrator who is logged in as a customer, where a logical message has said so. The modifier is who acted.',
    ),
  }),
  action: z.string().describe('The category, by which the filter finds it.'),
  actionName: z
    .string()
    .optional()
    .describe('What is shown for the action, where the YAML has a text for it.'),
  entity: z.object({
    type: z.string(),
    name: z.string().nullable(),
    id: z
      .string()
      .nullable()
      .describe(
        'Of a key of several columns: their values joined by commas, each comma and backslash within one of them with a backslash before it.',
      ),
    previousId: z.string().optional().describe('The id before, where the update changed it.'),
  }),
  tenant: z.string().nullable(),
  moved: z
    .object({
      side: z
        .enum(['both', 'arrived', 'left'])
        .describe(
          'What a token for one tenant sees of the entry: "arrived" without previous values, "left" without updated values and context, with name and id of before. "both": the token sees all tenants.',
        ),
      previousTenant: z.string().nullable().optional().describe('With "both"; null: it had none.'),
    })
    .optional()
    .describe('The update moved the row from one tenant to another.'),
  previous: Values,
  updated: Values,
  labels: z.object({ previous: Labels, updated: Labels }).optional(),
  changes: z
    .array(ValueChange)
    .optional()
    .describe('What differs within values of an update: members of JSON, elements of arrays, bits.'),
  jsonNulls: z
    .object({ previous: Columns, updated: Columns })
    .optional()
    .describe('Columns whose value is the JSON null, which is otherwise shown like SQL null.'),
  instants: Columns.optional().describe(
    'Columns of type timestamptz: the text of their values names an instant, in whatever zone PostgreSQL printed it.',
  ),
  unknown: Columns.optional().describe(
    'Columns of which the source did not send a value, or one too large to be stored.',
  ),
  tooLarge: z
    .array(
      z.object({
        side: z.enum(['previous', 'updated']),
        column: z.string(),
        bytes: Count,
        sha256: z.string().describe('Of the value as PostgreSQL printed it, in hexadecimal digits.'),
      }),
    )
    .optional()
    .describe(
      'Values that were too large to be stored, or together for an answer, with their length and digest.',
    ),
  table: z.string(),
  operation: z
    .enum(['insert', 'update', 'delete', 'truncate', 'baseline'])
    .describe('baseline: no change, a row that existed already when its table began to be tracked.'),
  transaction: z.object({
    xid: z.string(),
    commitLsn: z.string(),
    seq: z.int().describe("Negative in entries of Waltrail's own and in baselines."),
    origin: z
      .string()
      .optional()
      .describe('Replication origin, where the transaction came to the source from elsewhere.'),
    claimedCommitAt: z
      .string()
      .optional()
      .describe(
        'Commit time that the source claimed where none can be shown for it, as "infinity"; committedAt is then that of the transaction before.',
      ),
  }),
  context: z.unknown().nullable().describe('JSON that a logical message of the application carried.'),
  session: z
    .object({
      user: z.string().describe('The login of the database.'),
      role: z.string().optional().describe('The role that the session had set.'),
      application: z.string().optional().describe('application_name.'),
      address: z.string().optional().describe('Of the client, or of the pooler it came through.'),
    })
    .optional()
    .describe('Who was connected, where the YAML has `session`.'),
  unreadMessage: z
    .object({ lsn: z.string(), reason: z.string() })
    .optional()
    .describe(
      'The logical message that speaks for this change, where it or a part of it was not understood, or where it was passed over because it is not rightly signed.',
    ),
  lastSetBy: Person.optional().describe(
    "Whom the row's modifier column names, where nobody is known to have made the change: this change did not set the column, or that is not known. A hint: filters, counts and action rules do not take it for the modifier.",
  ),
  conflict: Person.extend({ rung: z.enum(['witness', 'column', 'session']) })
    .optional()
    .describe(
      'Whom a lower rung names, where a higher one counts and does not agree: an audit row about this row, the modifier column that this change has set, an audit row about another row, or the session. Where several do, the first of these.',
    ),
  laterKey: z
    .literal(true)
    .optional()
    .describe(
      'The entity id, or that there is none, is by the primary key that the table had when the source was asked, after this change: it may have had another one then.',
    ),
});

export const EntryPage = z.object({
  items: z.array(Entry),
  next: z.string().nullable().describe('Cursor of the next page; null at the end.'),
  coverage: Coverage,
});

export const Facet = z.object({
  value: z.string().describe('What the filter takes; of modifiers the empty text: nobody.'),
  name: z.string().describe('At most 200 characters; a longer name ends with an ellipsis.'),
  kind: Kind.nullable().optional().describe('Of modifiers; null: nobody.'),
  count: Count,
});

const More = z
  .object({ values: Count, entries: Count })
  .describe('Further values that are not listed, and their entries.');

/** The values of one dimension with most entries in the range, highest number first. */
export const FacetList = z.object({ items: z.array(Facet), more: More });

/** The same of every dimension. */
export const Facets = z.object({
  modifiers: z.array(Facet),
  actingAs: z.array(Facet).describe('In whose name modifiers acted.'),
  actions: z.array(Facet),
  entityTypes: z.array(Facet),
  tenants: z.array(Facet),
  more: z
    .object({ modifiers: More, actingAs: More, actions: More, entityTypes: More, tenants: More })
    .describe('What each list leaves out; GET /v1/facets/:list?search= finds it.'),
});
