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
      '"queued" and "running" are unfinished. "ready" has a file until it becomes "expired". "cancelled" is seen only in the events of an export, while it is removed.',
    ),
  progress: z.object({
    done: Count.describe('Entries.'),
    total: Count.nullable().describe('Number of entries. Null until they are counted.'),
  }),
  format: z.enum(EXPORT_FORMATS),
  filters: z.object(FILTERS).describe('The filters as requested.'),
  range: z.object({ from: Instant, to: Instant }),
  timezone: z.string(),
  requestedBy: z.string(),
  createdAt: Instant,
  finishedAt: Instant.nullable(),
  expiresAt: Instant.nullable().describe('When the file is deleted. Null without a file.'),
  file: z.object({ name: z.string(), bytes: Count, sha256: z.string() }).nullable(),
  gaps: Count.nullable().describe(
    'Number of gaps that overlap the range: changes may be missing from the file. Null until the file exists.',
  ),
  error: Problem.nullable().describe('Why the export failed or, while it is queued, why it waits.'),
});

export const ExportList = z.object({ items: z.array(Export), next: z.string().nullable() });
