import type { Log } from '../log.js';
import { TrailReader } from '../trail/read/trail-reader.js';
import { openTrailPool, urlOf, type TrailUrls } from '../trail/roles.js';
import { Exports, type ExportsOptions } from './exports.js';
import { ExportFiles } from './files.js';
import { openQueue, type ExportQueue } from './queue.js';
import { ExportStore } from './store.js';
import { ExportTurns } from './turns.js';
import { MOST_EXPORTS, startExportWorker, type ExportWorker } from './worker.js';

/** The settings that exports need. */
export interface ExportSettings {
  readonly redisUrl: string | undefined;
  readonly exportDir: string;
}

/** The parts of the YAML that exports need. */
export interface ExportConfig {
  readonly source: { readonly name: string };
  readonly trail: TrailUrls;
}

export interface OpenExportsOptions {
  readonly settings: ExportSettings;
  readonly config: ExportConfig;
  readonly log: Log;
}

/** Exports of one process: what the API offers, and what runs them. Both share the queue and a pool. */
export interface OpenExports {
  readonly queue: ExportQueue;
  /** Exports as the API offers them. */
  forApi(reports: ExportsOptions['reports']): Exports;
  /** Starts to run exports. The caller stops the worker before it closes the rest. */
  startWorker(): ExportWorker;
  /** Closes the queue, then the pool. Without an answer, closing the queue takes seconds. */
  close(): Promise<void>;
}

/**
 * Largest number of connections: three for requests of the API, two for the housekeeping of a worker, and one
 * for each run or check whose turn it is. They are opened when they are needed.
 */
const CONNECTIONS = 5 + MOST_EXPORTS;

/**
 * Opens the queue, the store and the files of exports. Returns at once: the queue connects in the background.
 */
export function openExports({ settings, config, log }: OpenExportsOptions): OpenExports {
  const url = urlOf(config.trail, 'api');
  const queue = openQueue({
    trailUrl: url,
    redisUrl: settings.redisUrl,
    source: config.source.name,
    log,
  });
  const pool = openTrailPool({ url, purpose: 'exports', role: 'waltrail_api', max: CONNECTIONS });
  const store = new ExportStore({ pool });
  const files = new ExportFiles({ directory: settings.exportDir });
  return {
    queue,
    forApi: (reports) =>
      new Exports({ store, files, queue, reader: new TrailReader({ pool }), reports, log }),
    startWorker: () =>
      startExportWorker({
        store,
        turns: new ExportTurns({ pool }),
        files,
        queue,
        thread: { trailUrl: url, exportDir: settings.exportDir, logLevel: log.level },
        log,
      }),
    close: async () => {
      await queue.close();
      await pool.end();
    },
  };
}
