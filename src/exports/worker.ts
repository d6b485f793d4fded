import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import { codeOf, WaltrailError } from '../errors.js';
import type { Log } from '../log.js';
import { problemOf } from './export.js';
import { ExportFiles } from './files.js';
import type { ExportConfig, ExportSettings } from './open.js';
import { openTrailPool } from '../trail/roles.js';
import { openQueue, type ExportQueue } from './queue.js';
import { ExportStore } from './store.js';
import { STOP, type ThreadData, type ThreadResult } from './thread-messages.js';

export interface ExportWorker {
  /** May be called again. Resolves when runs have given their exports back; another worker, or the next start, makes them from the beginning. */
  stop(): Promise<void>;
}

export interface ExportWorkerOptions {
  readonly settings: ExportSettings;
  readonly config: ExportConfig;
  readonly log: Log;
}

/** Exports made at a time: a second one only where it does not take the API's core away. */
const CONCURRENCY = availableParallelism() > 2 ? 2 : 1;
const RECONCILE_INTERVAL_MS = 30_000;
/** A file without a living row may be one whose row is about to be written or was deleted a moment ago. */
const ORPHAN_AGE_MS = 3_600_000;
/**
 * Of a thread. V8 lets its heap grow as far as it may before it collects: the limit is what keeps the process small, and a
 * value that is larger than it ends the thread, not the daemon.
 */
const THREAD_LIMITS = { maxOldGenerationSizeMb: 256, maxYoungGenerationSizeMb: 16 };

/**
 * Makes exports in threads of this process until it is stopped. Any number of processes may; the queue hands out, the rows
 * decide. Rows the queue has forgotten are enqueued at the start and every 30 s, expired files deleted with them.
 */
export async function startExportWorker(options: ExportWorkerOptions): Promise<ExportWorker> {
  const { settings, config, log } = options;
  const queue = await openQueue({
    trailUrl: config.trail.url,
    redisUrl: settings.redisUrl,
    source: config.source.name,
    log,
  });
  const pool = openTrailPool({
    url: config.trail.url,
    purpose: 'export worker',
    role: 'waltrail_api',
    max: 2,
  });
  const store = new ExportStore({ pool });
  const files = new ExportFiles({ directory: settings.exportDir });
  const stopping = new AbortController();
  const run = async (id: string): Promise<void> => {
    const data = { id, trailUrl: config.trail.url, exportDir: settings.exportDir, logLevel: log.level };
    await runInThread({ data, store, log, signal: stopping.signal });
  };
  const consumer = queue.work({ concurrency: CONCURRENCY, process: run });
  await consumer.ready;
  const housekeeping = repeat(() => keepHouse({ store, files, queue }), log);
  const end = async (): Promise<void> => {
    stopping.abort();
    await housekeeping.stop();
    await queue.close();
    await pool.end();
  };
  let ended: Promise<void> | undefined;
  return { stop: () => (ended ??= end()) };
}

/** Rejects when the export should be delivered again. */
async function runInThread(context: {
  readonly data: ThreadData;
  readonly store: ExportStore;
  readonly log: Log;
  readonly signal: AbortSignal;
}): Promise<void> {
  const { data, store, log, signal } = context;
  signal.throwIfAborted();
  const thread = new Worker(new URL('./thread.js', import.meta.url), {
    workerData: data,
    resourceLimits: THREAD_LIMITS,
    name: 'export',
  });
  const stop = (): void => thread.postMessage(STOP);
  signal.addEventListener('abort', stop, { once: true });
  const ended: { result?: ThreadResult; crash?: NodeJS.ErrnoException } = {};
  thread.on('message', (message: ThreadResult) => (ended.result = message));
  thread.on('error', (error: Error) => (ended.crash = error));
  await new Promise<void>((resolve) => thread.once('exit', () => resolve()));
  signal.removeEventListener('abort', stop);

  const { result, crash } = ended;
  if (result !== undefined && 'outcome' in result) {
    log.info({ export: data.id, outcome: result.outcome }, 'A run of an export ended');
    // Stopped: the delivery counts as failed, so that the queue hands the export out again.
    if (result.outcome === 'released') throw new Error('stopped');
    return;
  }
  if (crash?.code === 'ERR_WORKER_OUT_OF_MEMORY') {
    const error = new WaltrailError(
      'EXPORT_OUT_OF_MEMORY',
      `The file needed more than ${THREAD_LIMITS.maxOldGenerationSizeMb} MB of memory.`,
    );
    // Not tried again: batches are bounded by bytes and by values, so it is one entry that does not fit.
    if (await store.failRunning(data.id, problemOf(error)))
      log.error({ export: data.id, code: error.code }, 'An export failed');
    return;
  }
  const code = result?.error.code ?? crash?.code ?? crash?.name ?? 'exit';
  log.warn({ export: data.id, code }, 'A run of an export broke off; it is tried again');
  throw new Error(code);
}

async function keepHouse(room: {
  readonly store: ExportStore;
  readonly files: ExportFiles;
  readonly queue: ExportQueue;
}): Promise<void> {
  for (const { id, format } of await room.store.expire()) await room.files.delete(id, format);
  // Files of exports that were removed on another machine, and what runs left that were killed for good.
  const found = await room.files.ids(ORPHAN_AGE_MS);
  if (found.size > 0) {
    const live = await room.store.live([...found]);
    for (const id of found) if (!live.has(id)) await room.files.deleteAll(id);
  }
  for (const id of await room.store.unfinished()) await room.queue.enqueue(id);
}

/** Runs now and every {@link RECONCILE_INTERVAL_MS}, never twice at a time; a failure waits for the next time. */
function repeat(work: () => Promise<void>, log: Log): { stop(): Promise<void> } {
  const round = async (): Promise<void> => {
    try {
      await work();
    } catch (error) {
      log.warn({ code: codeOf(error) }, 'Unfinished exports could not be looked after; tried again soon');
    }
  };
  let current = round();
  const timer = setInterval(() => {
    current = current.then(round);
  }, RECONCILE_INTERVAL_MS);
  return {
    async stop() {
      clearInterval(timer);
      await current;
    },
  };
}
