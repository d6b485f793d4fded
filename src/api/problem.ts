import { z } from 'zod';
import { Count } from './parts.js';

/** A problem document (RFC 9457) with Waltrail's additional members. */
export const Problem = z.object({
  type: z.string(),
  title: z.string(),
  status: z.int().optional().describe('Absent in the problem of an export, which is no answer to a request.'),
  detail: z.string(),
  code: z.string().describe('What a client branches on.'),
  remedy: z.string().describe('What the reader can do about it.'),
  instance: z.string().optional().describe('Of a 500: the id under which the log holds the cause.'),
  errors: z.array(z.object({ path: z.string(), message: z.string() })).optional(),
  retryAfterSeconds: Count.optional().describe('Of a 429: as the Retry-After header says.'),
  maxRangeMs: Count.optional().describe('Of RANGE_TOO_LONG: the longest range allowed.'),
});
