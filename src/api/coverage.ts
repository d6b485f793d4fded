import { z } from 'zod';
import { Instant } from './parts.js';

/**
 * What the trail covers. Where a range lies outside of it, an answer without entries does not say that
 * nothing was changed.
 */
export const Coverage = z.object({
  since: Instant.nullable().describe(
    'When recording began: changes that were committed before are not in the trail. Null: it has not begun.',
  ),
  droppedBefore: Instant.nullable().describe(
    'Entries of changes that were committed before this were dropped by the retention. Null: none were.',
  ),
  until: Instant.nullable().describe(
    'Everything that the source committed before this time, by its clock, is in the trail. Null: that is not known.',
  ),
  asOf: Instant.describe('When this was answered: "until" lies before it by what recording is behind.'),
  capture: z
    .enum(['starting', 'standby', 'streaming', 'reconnecting', 'stopped', 'unknown'])
    .describe(
      'State of capture, as in the status. In a process that does not capture: "streaming" if "until" was noted within half a minute, else "unknown".',
    ),
});
