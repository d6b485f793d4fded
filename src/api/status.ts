import { z } from 'zod';
import { Coverage } from './coverage.js';
import { GapCounts } from './gaps.js';
import { Count, Instant } from './parts.js';

const Fault = z.object({ code: z.string(), message: z.string(), remedy: z.string() });

const Waiting = z.object({
  what: z.string().describe('The operation that waits, such as the creation of a replication slot.'),
  since: Instant,
  transactions: z
    .array(
      z.object({
        xid: z.string(),
        pid: z
          .number()
          .nullable()
          .describe('Process id. Null: the transaction is prepared and has no process.'),
        gid: z
          .string()
          .nullable()
          .describe('Identifier of a prepared transaction, for COMMIT PREPARED or ROLLBACK PREPARED.'),
        since: Instant.nullable().describe('Null if the role of source.url may not see it.'),
        user: z.string().nullable(),
        application: z.string().nullable(),
        database: z.string().nullable(),
      }),
    )
    .describe('The oldest transactions that it waits for, at most 10.'),
  transactionCount: Count,
});

const Capture = z.object({
  state: z
    .enum(['starting', 'standby', 'streaming', 'reconnecting', 'stopped'])
    .describe('"standby": another daemon captures. "stopped": an operator is needed, see "error".'),
  source: z.string(),
  slot: z.string(),
  checkpointLsn: z
    .string()
    .nullable()
    .describe('End of the last transaction that is durable in the trail. Null before the first connection.'),
  sourceLsn: z.string().nullable().describe('Last WAL position that the source reported.'),
  lagBytes: z.number().nullable().describe('Bytes of WAL between checkpointLsn and sourceLsn.'),
  currentUntil: Instant.nullable().describe(
    'Everything that the source committed before this time (by its clock) is in the trail. Null: not known yet.',
  ),
  latencyMs: z
    .number()
    .nullable()
    .describe(
      'Time from the commit of the last stored transaction to its visibility in the trail, for the last batch.',
    ),
  transactions: Count,
  changes: Count,
  entries: Count,
  ignored: Count.describe('Number of updates of ignored columns only.'),
  configuration: z
    .object({
      digest: z.string().nullable().describe('SHA-256. Null before the first connection.'),
      waitsFor: z
        .enum(['apply', 'position'])
        .nullable()
        .describe(
          'What the configuration in the file waits for, if another one is in effect: that "waltrail apply" is run, or that capture reaches the position where it begins.',
        ),
      ignored: Count.describe(
        'Number of messages from the source that announced a configuration which is neither in effect nor in the file.',
      ),
    })
    .describe('The configuration of tracking that is in effect.'),
  messagesUnread: Count.describe(
    'Number of logical messages that should name who made changes, but were not understood or not signed.',
  ),
  tenantsUnknown: Count.describe(
    'Number of entries without tenant. Their tenant is in a row of another table, which is not known. Readers of one tenant do not see these entries.',
  ),
  troubles: z
    .array(
      Fault.extend({
        table: z.string(),
        effect: z.string().describe('What the trouble means for the trail or for the application.'),
      }),
    )
    .describe(
      'Tables that are not captured, or not as the YAML says: at most 100. Capture of other tables continues.',
    ),
  troubleCount: Count,
  waiting: Waiting.nullable().describe('Null while capture waits for no transaction of the source.'),
  error: Fault.nullable(),
});

const TrailHead = z.object({
  source: z.string(),
  startLsn: z.string(),
  endLsn: z.string(),
  nextId: z.string().describe('The id of the next entry. Every visible entry has a lower id.'),
  entries: Count,
  lastCommittedAt: z.string().nullable(),
});

/** What a process is and does, and how current the trail is. */
export const Status = z.object({
  version: z.string(),
  roles: z.array(z.enum(['capture', 'api', 'exports'])),
  startedAt: Instant,
  source: z.string().describe('source.name of the YAML.'),
  maxRangeMs: Count.describe('The longest range of a report.'),
  maxRangeDays: Count.nullable().describe(
    'The same in calendar days of the time zone, if it is configured in days. Null: it is elapsed time.',
  ),
  timezone: z.string().describe("IANA name of the reports' time zone."),
  retentionDays: Count.nullable().describe(
    'Whole days that entries are kept: as the YAML says, but at least the floor of the trail. Null: forever.',
  ),
  queue: z.enum(['postgres', 'redis']).describe('Where the export queue runs.'),
  capture: Capture.nullable().describe(
    'Null if another process captures (then "trail" says how far that one is), and for a tenant-scoped token.',
  ),
  trail: TrailHead.nullable().describe(
    'Null before the trail has begun. Null for a tenant-scoped token, because the numbers are those of all tenants.',
  ),
  coverage: Coverage,
  gaps: GapCounts.nullable().describe('Null for a tenant-scoped token.'),
  gapsVersion: z
    .string()
    .describe(
      'Opaque. It changes when a gap is found, accepted or closed. Clients that follow the gaps then read them again.',
    ),
  exportQueue: z
    .object({ works: z.boolean(), error: Fault.nullable() })
    .nullable()
    .describe('Whether exports can be made and, if not, why. Null in a process that does not use the queue.'),
});

/** Who is signed in, and what the page must know about the daemon. */
export const Session = z.object({
  name: z.string(),
  role: z.enum(['viewer', 'exporter', 'admin']),
  tenant: z.string().nullable(),
  maxRangeDays: z.number().describe('The longest range of a report.'),
  calendarDays: z
    .boolean()
    .describe('Whether these are calendar days, which have 23 to 25 hours. Otherwise each has 24 hours.'),
  timezone: z.string(),
  source: z.string(),
});

export const Health = z.object({ status: z.literal('ok') });

export const Readiness = z.object({
  ready: z.boolean(),
  trail: z.enum(['up', 'down']),
  capture: z.string().nullable().describe('The state of capture. Null in a process without that role.'),
  exportQueue: z
    .enum(['up', 'down'])
    .nullable()
    .describe('The queue of exports. Null in a process that does not use it. It does not affect "ready".'),
});
