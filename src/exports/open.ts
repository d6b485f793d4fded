import type { Log } from '../log.js';
import { TrailReader } from '../trail/read/trail-reader.js';
import { openTrailPool } from '../trail/roles.js';
import { Exports } from './exports.js';
import { ExportFiles } from './files.js';
import type { ExportQueue } from './queue.js';
import { ExportStore } from './store.js';

/** What exports need of the settings and of the YAML, as those types hold it. */
export interface ExportSettings {
  readonly redisUrl: string | undefined;
  readonly exportDir: string;
  readonly logLevel: string;
}
export interface ExportConfig {
  readonly source: { readonly name: string };
  readonly trail: { readonly url: string };
}

/** {@link Exports} with a pool of its own, for the API role; `close` ends it, and leaves the queue open. */
export function openExports(options: {
  readonly settings: Pick<ExportSettings, 'exportDir'>;
  readonly config: Pick<ExportConfig, 'trail'>;
  readonly queue: ExportQueue;
  readonly reports: { readonly maxRangeMs: number; readonly timezone: string };
  readonly log: Log;
}): { readonly exports: Exports; close(): Promise<void> } {
  const { settings, config, queue, log } = options;
  const pool = openTrailPool({ url: config.trail.url, purpose: 'exports', role: 'waltrail_api', max: 3 });
  const exports = new Exports({
    store: new ExportStore({ pool }),
    files: new ExportFiles({ directory: settings.exportDir }),
    queue,
    reader: new TrailReader({ pool }),
    reports: options.reports,
    log,
  });
  return { exports, close: () => pool.end() };
}
