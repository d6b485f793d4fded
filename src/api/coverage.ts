import { z } from 'zod';
import { Instant } from './parts.js';

/**
 * The time that the trail covers. For a range outside of it, an answer without entries does not mean that
 * nothing was changed.
 */
export const Coverage = z.object({
  since: Instant.nullable().describe(
    'When recording began. Changes that were committed before are not in the trail. Null: it has not begun.',
  ),
  droppedBefore: Instant.nullable().describe(
    'Entries of changes that were committed before this time were dropped by the retention. Null: none were.',
  ),
  until: Instant.nullable().describe(
    'Everything that the source committed before this time (by its clock) is in the trail. Null: not known.',
  ),
  asOf: Instant.describe('Time of this answer. Its distance from "until" is how far recording is behind.'),
  capture: z
    .enum(['starting', 'standby', 'streaming', 'reconnecting', 'stopped', 'unknown'])
    .describe(
      'State of capture, as in the status. In a process that does not capture: "streaming" if "until" was stored in the last 30 seconds, else "unknown".',
    ),
});
