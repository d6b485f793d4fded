import { z } from 'zod';
import { FILTERS } from './filters.js';
import { Count, Instant } from './parts.js';
import { Problem } from './problem.js';
import { EXPORT_FORMATS } from './requests.js';

export const Export = z.object({
  id: z.string(),
  state: z
    .enum(['queued', 'running', 'ready', 'failed', 'cancelled', 'expired'])
    .describe(
      'Queued and running exports are unfinished; a ready one has a file until it is expired. A cancelled one is seen only by whoever watches it while it is removed.',
    ),
  progress: z.object({
    done: Count.describe('Entries.'),
    total: Count.nullable().describe('Null until they are counted.'),
  }),
  format: z.enum(EXPORT_FORMATS),
  filters: z.object(FILTERS).describe('As they were requested.'),
  range: z.object({ from: Instant, to: Instant }),
  timezone: z.string(),
  requestedBy: z.string(),
  createdAt: Instant,
  finishedAt: Instant.nullable(),
  expiresAt: Instant.nullable().describe('When the file is deleted; null without one.'),
  file: z.object({ name: z.string(), bytes: Count, sha256: z.string() }).nullable(),
  gaps: Count.nullable().describe(
    'Gaps that overlap the range, so that the file may lack changes; null until it is made.',
  ),
  error: Problem.nullable().describe('Why it failed or, while it is queued, why it waits.'),
});

export const ExportList = z.object({ items: z.array(Export), next: z.string().nullable() });
