import { z } from 'zod';
import { Count } from './parts.js';

/** A problem document (RFC 9457) with Waltrail's additional members. */
export const Problem = z.object({
  type: z.string(),
  title: z.string(),
  status: z
    .int()
    .optional()
    .describe('Absent in the problem of an export, because that is not an answer to a request.'),
  detail: z.string(),
  code: z.string().describe('The error code. Clients decide by it.'),
  remedy: z.string().describe('What to do about the problem.'),
  instance: z.string().optional().describe('With status 500: the id under which the log has the cause.'),
  errors: z.array(z.object({ path: z.string(), message: z.string() })).optional(),
  retryAfterSeconds: Count.optional().describe('With status 429: the same as the Retry-After header.'),
  maxRangeMs: Count.optional().describe('With RANGE_TOO_LONG: the longest range allowed.'),
});
