import { z } from 'zod';
import { Coverage } from './coverage.js';
import { Count, Instant } from './parts.js';

/** A gap: a stretch of the stream where changes may be missing from the trail. */
export const Gap = z.object({
  id: Count,
  code: z.string().describe('What happened. docs/errors.md lists the codes with their remedies.'),
  summary: z.string().describe('What happened, in words for administrators.'),
  scope: z
    .enum(['stream', 'tables'])
    .describe(
      '"stream": a gap of the whole stream. Capture stops until it is accepted. "tables": a gap of named tables. Capture of other tables continues, and the gap ends automatically.',
    ),
  tables: z
    .array(z.string())
    .nullable()
    .optional()
    .describe(
      'Tables whose changes may be missing. Null: every tracked table. Absent for a tenant-scoped token.',
    ),
  fromLsn: z.string().describe('Start of the gap: changes committed from this position on may be missing.'),
  toLsn: z
    .string()
    .nullable()
    .describe('End of the gap: changes committed from this position on are not in it. Null: not known yet.'),
  lastEntryAt: Instant.nullable().describe(
    'Commit time of the last entry before fromLsn. Null: there was none.',
  ),
  foundAt: Instant,
  acceptedAt: Instant.nullable().describe('When an operator accepted it.'),
  closedAt: Instant.nullable().describe(
    'When the gap ended: capture resumed, or the tables were captured again or no longer existed. Null: it has not ended.',
  ),
});

export const GapList = z.object({
  items: z.array(Gap),
  total: Count.describe('Number of gaps that overlap the range. "items" has the newest.'),
  coverage: Coverage,
});

export const GapCounts = z.object({
  open: Count.describe('Number of gaps that have not ended.'),
  total: Count,
  last: Gap.nullable().describe('The newest gap.'),
});
