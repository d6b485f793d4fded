import { availableParallelism } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { codeOf, WaltrailError } from '../errors.js';
import { LastingProblem, type Log } from '../log.js';
import { problemOf } from './export.js';
import type { ExportFiles } from './files.js';
import type { ExportQueue } from './queue.js';
import type { ExportStore } from './store.js';
import type { ExportTurn, ExportTurns } from './turns.js';
import { STOP, type ThreadData, type ThreadResult } from './thread-messages.js';

export interface ExportWorker {
  /**
   * Resolves when the queue hands out exports for the first time. If the queue never works, it never
   * resolves.
   */
  readonly ready: Promise<void>;
  /**
   * Stops the worker. Resolves when all runs have returned their exports to the queue. Another worker, or the
   * next start, runs these again. May be called again.
   */
  stop(): Promise<void>;
}

/** What a worker needs. It is not closed when the worker stops. */
export interface ExportWorkerOptions {
  readonly store: ExportStore;
  readonly turns: ExportTurns;
  readonly files: ExportFiles;
  readonly queue: ExportQueue;
  /** Data that each thread is started with. */
  readonly thread: Omit<ThreadData, 'id' | 'isQuick'>;
  readonly log: Log;
}

/**
 * Exports that run at a time. On machines with one or two processors only one runs, to leave a processor for
 * the API.
 */
const CONCURRENCY = availableParallelism() > 2 ? 2 : 1;
/** Additional exports of admins, so that they do not wait for a long export of somebody else. */
const FOR_ADMINS = 1;
/** Largest number of exports that run at a time. */
export const MOST_EXPORTS = CONCURRENCY + FOR_ADMINS;
/** Time between two runs of one token that begin with normal priority. */
const QUICK_INTERVAL_MS = 30_000;
/** Time between two checks whose turn it is, while no export may begin. */
const TURN_INTERVAL_MS = 500;
const RECONCILE_INTERVAL_MS = 30_000;
/**
 * Age at which a file without a row is deleted. The row of a younger file may be about to be written, or may
 * just have been deleted.
 */
const ORPHAN_AGE_MS = 3_600_000;
/**
 * Limits of a thread's memory. V8 lets a heap grow up to its limit before it collects garbage, so the limit
 * keeps the process small. A value that is larger than the limit ends the thread, not the daemon.
 */
const THREAD_LIMITS = { maxOldGenerationSizeMb: 256, maxYoungGenerationSizeMb: 8 };

/**
 * Runs exports in threads of this process until it is stopped. Any number of processes may do so: the queue
 * wakes them, and the rows determine whose turn it is (turns.ts). Whenever the queue opens and every 30 s,
 * unfinished exports that the queue has lost are enqueued, and expired files are deleted.
 */
export function startExportWorker(options: ExportWorkerOptions): ExportWorker {
  const { store, turns, files, queue, log } = options;
  const stopping = new AbortController();
  const { signal } = stopping;
  const runs = new Set<Promise<void>>();
  const quick = new QuickStarts();
  const run = ({ id, tokenId }: ExportTurn): Promise<void> =>
    runInThread({ data: { id, isQuick: quick.take(tokenId), ...options.thread }, store, log, signal });
  /**
   * Begins the export whose turn it is. Checks run one after another, so that each counts the runs that began
   * before.
   */
  let looking: Promise<unknown> = Promise.resolve();
  const begin = async (): Promise<{ readonly running: Promise<void> } | 'wait' | 'none'> => {
    signal.throwIfAborted();
    const turn = await turns.next({ adminsOnly: runs.size >= CONCURRENCY });
    if (turn === 'wait' || turn === 'none') return turn;
    const running = run(turn).finally(() => turn.release());
    const settled: Promise<void> = running.catch(() => undefined).finally(() => runs.delete(settled));
    runs.add(settled);
    return { running };
  };
  // Which export woke the worker does not matter, because each unfinished export has a job.
  const process = async (): Promise<void> => {
    for (;;) {
      const look = looking.then(begin);
      looking = look.catch(() => undefined);
      const begun = await look;
      if (begun === 'none') return;
      if (begun !== 'wait') return begun.running;
      await delay(TURN_INTERVAL_MS, undefined, { signal });
    }
  };
  const housekeeping = repeat(
    [() => tidyFiles({ store, files }), () => enqueueUnfinished({ store, queue })],
    log,
  );
  const consumer = queue.work({
    concurrency: MOST_EXPORTS,
    process,
    opened: () => void housekeeping.now(),
  });
  const end = async (): Promise<void> => {
    stopping.abort();
    await housekeeping.stop();
    await Promise.allSettled([consumer.close(), ...runs]);
  };
  let ended: Promise<void> | undefined;
  return { ready: consumer.ready, stop: () => (ended ??= end()) };
}

/**
 * Decides which runs begin with normal priority: one run of each token in 30 seconds. So a small export ends
 * within seconds on a busy machine, and further exports of the token have low priority.
 */
export class QuickStarts {
  readonly #last = new Map<string, number>();

  take(tokenId: string, now = performance.now()): boolean {
    for (const [token, at] of this.#last) if (at <= now - QUICK_INTERVAL_MS) this.#last.delete(token);
    if (this.#last.has(tokenId)) return false;
    this.#last.set(tokenId, now);
    return true;
  }
}

/** Runs one export to its end. Rejects if the queue should deliver the export again. */
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
    log.info({ export: data.id, outcome: result.outcome }, 'A run of an export ended.');
    // The run was stopped. The delivery counts as failed, so that the queue hands the export out again.
    if (result.outcome === 'released') throw new Error('stopped');
    return;
  }
  if (crash?.code === 'ERR_WORKER_OUT_OF_MEMORY') {
    const error = new WaltrailError(
      'EXPORT_OUT_OF_MEMORY',
      `The file needed more than ${THREAD_LIMITS.maxOldGenerationSizeMb} MB of memory.`,
    );
    // Not tried again: batches are limited in bytes and in values, so one entry alone does not fit.
    if (await store.failRunning(data.id, problemOf(error)))
      log.error({ export: data.id, code: error.code }, 'An export failed.');
    return;
  }
  const code = result?.error.code ?? crash?.code ?? crash?.name ?? 'exit';
  log.warn({ export: data.id, code }, 'A run of an export failed. Waltrail tries again.');
  throw new Error(code);
}

/** Deletes expired files, files of exports that were removed on another machine, and files of killed runs. */
async function tidyFiles({
  store,
  files,
}: {
  readonly store: ExportStore;
  readonly files: ExportFiles;
}): Promise<void> {
  for (const { id, format } of await store.expire()) await files.delete(id, format);
  const found = await files.ids(ORPHAN_AGE_MS);
  if (found.size === 0) return;
  const live = await store.live([...found]);
  for (const id of found) if (!live.has(id)) await files.deleteAll(id);
}

async function enqueueUnfinished({
  store,
  queue,
}: {
  readonly store: ExportStore;
  readonly queue: ExportQueue;
}): Promise<void> {
  for (const id of await store.unfinished()) await queue.enqueue(id);
}

/**
 * Runs tasks every {@link RECONCILE_INTERVAL_MS} and when asked, one round at a time. A task that fails waits
 * for the next round and does not affect the others.
 */
function repeat(tasks: readonly (() => Promise<void>)[], log: Log): { now(): void; stop(): Promise<void> } {
  const sentence =
    'Unfinished exports could not be enqueued, or expired files not deleted. Waltrail tries again soon.';
  const lasting = new LastingProblem({
    say: (fields) => log.warn(fields, sentence),
    sayOver: (fields) => log.info(fields, 'Unfinished exports and expired files are processed again.'),
  });
  const round = async (): Promise<void> => {
    let failed = false;
    for (const task of tasks) {
      try {
        await task();
      } catch (error) {
        failed = true;
        // The queue itself reports that it does not work.
        if (codeOf(error) !== 'EXPORT_QUEUE_UNAVAILABLE') lasting.met(codeOf(error) ?? 'Error');
      }
    }
    if (!failed) lasting.over();
  };
  let current = Promise.resolve();
  let waiting = false;
  const now = (): void => {
    if (waiting) return;
    waiting = true;
    current = current.then(() => {
      waiting = false;
      return round();
    });
  };
  now();
  const timer = setInterval(now, RECONCILE_INTERVAL_MS);
  return {
    now,
    async stop() {
      clearInterval(timer);
      await current;
    },
  };
}
