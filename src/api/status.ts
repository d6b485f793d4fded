import { z } from 'zod';
import { Coverage } from './coverage.js';
import { GapCounts } from './gaps.js';
import { Count, Instant } from './parts.js';

const Fault = z.object({ code: z.string(), message: z.string(), remedy: z.string() });

const Waiting = z.object({
  what: z.string().describe('What waits, such as a new replication slot.'),
  since: Instant,
  transactions: z
    .array(
      z.object({
        xid: z.string(),
        pid: z.number().nullable().describe('Null: it is prepared, and no process has it.'),
        gid: z.string().nullable().describe('By which a prepared transaction is committed or rolled back.'),
        since: Instant.nullable().describe('Null where the role of source.url may not see it.'),
        user: z.string().nullable(),
        application: z.string().nullable(),
        database: z.string().nullable(),
      }),
    )
    .describe('The oldest of those that last, at most 10.'),
  transactionCount: Count,
});

const Capture = z.object({
  state: z
    .enum(['starting', 'standby', 'streaming', 'reconnecting', 'stopped'])
    .describe('"standby": another daemon captures; "stopped": an operator is needed, see "error".'),
  source: z.string(),
  slot: z.string(),
  checkpointLsn: z
    .string()
    .nullable()
    .describe('End of the last transaction that is durable in the trail; null before the first connection.'),
  sourceLsn: z.string().nullable().describe('Last WAL position that the source reported.'),
  lagBytes: z.number().nullable().describe('Bytes of WAL between the two.'),
  currentUntil: Instant.nullable().describe(
    'Everything that the source committed before this time, by its clock, is in the trail; null: it is not known yet.',
  ),
  latencyMs: z
    .number()
    .nullable()
    .describe(
      'Commit time of the last stored transaction to its visibility in the trail, of the last batch.',
    ),
  transactions: Count,
  changes: Count,
  entries: Count,
  ignored: Count.describe('Updates of nothing but ignored columns.'),
  configuration: z
    .object({
      digest: z.string().nullable().describe('SHA-256; null before the first connection.'),
      waitsFor: z
        .enum(['apply', 'position'])
        .nullable()
        .describe(
          'What the configuration of the file waits for, where another is in effect: that waltrail apply is run, or that capture comes to the position where it begins.',
        ),
      ignored: Count.describe(
        'Messages of the source that announced a configuration which is neither in effect nor that of the file.',
      ),
    })
    .describe('The configuration of tracking by which entries are made.'),
  messagesUnread: Count.describe(
    'Logical messages that should say who made changes and were not understood.',
  ),
  tenantsUnknown: Count.describe(
    'Entries without tenant because the row of another table that has it is not known. Readers of one tenant do not see them.',
  ),
  troubles: z
    .array(
      Fault.extend({
        table: z.string(),
        effect: z.string().describe('What it means for the trail, or for the application.'),
      }),
    )
    .describe('Tables that are not captured, or not as the YAML says: at most 100. Those of others go on.'),
  troubleCount: Count,
  waiting: Waiting.nullable().describe('Null while capture waits for no transaction of the source.'),
  error: Fault.nullable(),
});

const TrailHead = z.object({
  source: z.string(),
  startLsn: z.string(),
  endLsn: z.string(),
  nextId: z.string().describe('Id that the next entry will have: every visible entry is below it.'),
  entries: Count,
  lastCommittedAt: z.string().nullable(),
});

/** What a process is and does, and how far the trail has got. */
export const Status = z.object({
  version: z.string(),
  roles: z.array(z.enum(['capture', 'api', 'exports'])),
  startedAt: Instant,
  source: z.string().describe('source.name of the YAML.'),
  maxRangeMs: Count.describe('The longest range of a report.'),
  maxRangeDays: Count.nullable().describe(
    'The same in calendar days of the time zone, where it is given in days; null: it is elapsed time.',
  ),
  timezone: z.string().describe("IANA name of the reports' time zone."),
  retentionDays: Count.nullable().describe(
    'Whole days that entries are kept: those of the YAML, but no fewer than the floor of the trail. Null: forever.',
  ),
  queue: z.enum(['postgres', 'redis']).describe('Where the export queue runs.'),
  capture: Capture.nullable().describe(
    'Null where another process captures: "trail" says how far that one is. Null for a tenant-scoped token, too.',
  ),
  trail: TrailHead.nullable().describe(
    'Null before the trail has begun, and for a tenant-scoped token: its numbers are those of all tenants.',
  ),
  coverage: Coverage,
  gaps: GapCounts.nullable().describe('Null for a tenant-scoped token.'),
  gapsVersion: z
    .string()
    .describe(
      'Opaque. It changes whenever a gap is found, accepted or closed: who follows the gaps has to read them again then.',
    ),
  exportQueue: z
    .object({ works: z.boolean(), error: Fault.nullable() })
    .nullable()
    .describe('Whether exports are made; where not, why. Null in a process that has no use for the queue.'),
});

/** Who is signed in, and what the page has to know about the daemon. */
export const Session = z.object({
  name: z.string(),
  role: z.enum(['viewer', 'exporter', 'admin']),
  tenant: z.string().nullable(),
  maxRangeDays: z.number().describe('The longest range of a report.'),
  calendarDays: z
    .boolean()
    .describe('Whether these are days of the calendar, of 23 to 25 hours; else each has 24.'),
  timezone: z.string(),
  source: z.string(),
});

export const Health = z.object({ status: z.literal('ok') });

export const Readiness = z.object({
  ready: z.boolean(),
  trail: z.enum(['up', 'down']),
  capture: z.string().nullable().describe('The state of capture, in a process that has that role.'),
  exportQueue: z
    .enum(['up', 'down'])
    .nullable()
    .describe(
      'The queue of exports, in a process that uses it. Nothing else waits for it, so it does not count.',
    ),
});
