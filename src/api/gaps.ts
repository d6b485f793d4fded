import { z } from 'zod';
import { Coverage } from './coverage.js';
import { Count, Instant } from './parts.js';

/** A gap: a stretch of the stream of which the trail may lack changes. */
export const Gap = z.object({
  id: Count,
  code: z.string().describe('What happened; docs/errors.md lists the codes with their remedies.'),
  summary: z.string().describe("The same in the administrator's words."),
  scope: z
    .enum(['stream', 'tables'])
    .describe(
      'Of the whole stream: capture stops until it is accepted. Of named tables: the others go on, and it ends by itself.',
    ),
  tables: z
    .array(z.string())
    .nullable()
    .optional()
    .describe('Tables that may lack changes; null: every tracked table. Absent for a tenant-scoped token.'),
  fromLsn: z.string().describe('Changes committed from here on'),
  toLsn: z.string().nullable().describe('and before here may be missing; null: not known yet.'),
  lastEntryAt: Instant.nullable().describe(
    'Commit time of the last entry before fromLsn; null: there was none.',
  ),
  foundAt: Instant,
  acceptedAt: Instant.nullable().describe('When an operator accepted it.'),
  closedAt: Instant.nullable().describe(
    'When capture went on, or the tables were captured again or gone; null: the gap lasts.',
  ),
});

export const GapList = z.object({
  items: z.array(Gap),
  total: Count.describe('How many overlap the range; "items" has the newest.'),
  coverage: Coverage,
});

export const GapCounts = z.object({
  open: Count.describe('Those that last.'),
  total: Count,
  last: Gap.nullable().describe('The newest.'),
});
