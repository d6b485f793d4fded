import { codeOf, isWaltrailError, WaltrailError } from '../errors.js';
import type { Log } from '../log.js';
import { isConnectError } from '../pg/connect-error.js';
import type { GapsInRange } from '../trail/read/gap-list.js';
import { filterOf } from '../trail/read/requested-filter.js';
import type { RowBatch } from '../trail/read/row-batch.js';
import type { TrailReader } from '../trail/read/trail-reader.js';
import { Coverage, coverLines, MAX_COVER_GAPS } from './cover.js';
import { ZoneClock } from './dates.js';
import { problemOf, type ExportOrder } from './export.js';
import { fileName } from './file-name.js';
import type { ExportFiles, PartFile } from './files.js';
import type { ExportStore } from './store.js';

/**
 * How a run ended. `ready` and `failed` are in the row; `skipped`: there was nothing to do; `lost`: the
 * export was removed or taken over meanwhile; `released`: this run was stopped and the export waits for
 * another.
 */
export type RunOutcome = 'ready' | 'failed' | 'skipped' | 'lost' | 'released';

export interface RunOptions {
  readonly id: string;
  readonly store: ExportStore;
  readonly files: ExportFiles;
  readonly reader: Pick<TrailReader, 'count' | 'walkRows' | 'gaps'>;
  /** Stops the run; the export goes back to the queue. */
  readonly signal: AbortSignal;
  readonly version: string;
  readonly log: Log;
}

/** How often a run may end without an answer (a killed worker, a lost connection) before the export fails. */
export const MAX_ATTEMPTS = 5;
/** Days a file is kept. */
const KEEP_DAYS = 7;

const PROGRESS_INTERVAL_MS = 500;

/**
 * Makes the file of one export, from its claim to its row's last state. Runs anywhere, at most one of several
 * runs of an export puts a file in place. Throws only what may be better next time: the export is then given
 * back.
 */
export async function runExport(options: RunOptions): Promise<RunOutcome> {
  const { id, store, log } = options;
  const order = await store.claim(id);
  if (order === undefined) return 'skipped';
  try {
    if (order.attempts > MAX_ATTEMPTS) {
      throw new WaltrailError(
        'EXPORT_GAVE_UP',
        `The file was begun ${MAX_ATTEMPTS} times and never finished.`,
      );
    }
    const outcome = await makeFile(order, options);
    if (outcome === 'released') await store.release(order, { counted: false });
    return outcome;
  } catch (error) {
    const final = finalError(error, order);
    if (final === undefined) {
      await store.release(order, { counted: true });
      throw error;
    }
    log.error({ export: id, code: final.code, ...traceOf(final) }, 'An export failed');
    await store.fail(order, problemOf(final));
    return 'failed';
  }
}

async function makeFile(order: ExportOrder, options: RunOptions): Promise<RunOutcome> {
  const { store, files, reader, signal } = options;
  const run = new Run(order, store);
  const stop = AbortSignal.any([signal, run.lost]);
  let part: PartFile | undefined;
  try {
    const filter = { ...filterOf(order.filters, order.tenant), ...order.range };
    part = await files.create(order);
    run.total = await orAbort(reader.count(filter, { below: order.belowId }), stop);
    const gaps = await orAbort(reader.gaps(order.range, { limit: MAX_COVER_GAPS }), stop);
    // Only the format ndjson shows contexts.
    const withContexts = order.format === 'ndjson';
    const walk = reader.walkRows(filter, { below: order.belowId, withContexts });
    const batches = run.counted(walk, stop);
    await writeFormat({ order, part, batches, coverage: run.coverage, gaps, options });
    const { coverage } = run;
    const file = {
      ...(await part.seal()),
      name: fileName(order, new ZoneClock(order.timezone)),
      entries: coverage.entries,
      firstLsn: coverage.firstLsn,
      lastLsn: coverage.lastLsn,
      gaps: gaps.total,
    };
    const publish = part.publish.bind(part);
    const finished = await store.finish(order, { file, keepDays: KEEP_DAYS, publish });
    if (finished) part = undefined;
    return finished ? 'ready' : 'lost';
  } catch (error) {
    if (run.lost.aborted) return 'lost';
    if (signal.aborted) return 'released';
    throw error;
  } finally {
    run.end();
    await part?.discard();
  }
}

/**
 * Counts what passes, tells the row twice a second, and notices there that the export is no longer this
 * run's.
 */
class Run {
  readonly coverage = new Coverage();
  total: number | null = null;
  readonly #lost = new AbortController();
  readonly #timer: NodeJS.Timeout;

  constructor(order: ExportOrder, store: ExportStore) {
    let writing = false;
    this.#timer = setInterval(() => {
      if (writing) return;
      writing = true;
      store
        .progress(order, { done: this.coverage.entries, total: this.total })
        .then((mine) => {
          if (!mine) this.#lost.abort();
        })
        // Whatever ails the database, the run itself will meet it.
        .catch(() => undefined)
        .finally(() => (writing = false));
    }, PROGRESS_INTERVAL_MS);
  }

  /** Aborted when the row is removed or claimed by another run. */
  get lost(): AbortSignal {
    return this.#lost.signal;
  }

  async *counted(walk: AsyncIterable<RowBatch>, stop: AbortSignal): AsyncGenerator<RowBatch> {
    const iterator = walk[Symbol.asyncIterator]();
    try {
      for (;;) {
        const next = await orAbort(iterator.next(), stop);
        if (next.done === true) return;
        this.coverage.add(next.value);
        yield next.value;
      }
    } finally {
      // Not waited for: after an abort the query may still be running.
      void iterator.return?.().catch(() => undefined);
    }
  }

  end(): void {
    clearInterval(this.#timer);
  }
}

async function writeFormat(context: {
  readonly order: ExportOrder;
  readonly part: PartFile;
  readonly batches: AsyncIterable<RowBatch>;
  readonly coverage: Coverage;
  readonly gaps: GapsInRange;
  readonly options: RunOptions;
}): Promise<void> {
  const { order, part: sink, batches, coverage, gaps } = context;
  const { version } = context.options;
  const clock = new ZoneClock(order.timezone);
  // Loaded when needed: exceljs alone takes more memory than a whole csv export.
  switch (order.format) {
    case 'xlsx': {
      const { writeWorkbook } = await import('./workbook.js');
      const createdAt = new Date();
      const written = { createdAt: createdAt.toISOString().replace('Z', '000Z'), version };
      await writeWorkbook({
        batches,
        sink,
        clock,
        createdAt,
        cover: (counts) => coverLines({ order, clock, coverage, gaps, counts, ...written }),
      });
      return;
    }
    case 'csv': {
      const { writeCsv } = await import('./text-formats.js');
      return writeCsv({ batches, sink, clock });
    }
    case 'ndjson': {
      const { writeNdjson } = await import('./text-formats.js');
      return writeNdjson({ batches, sink });
    }
    default:
      return order.format satisfies never;
  }
}

/** Rejects as soon as the signal aborts, whatever the promise does then. */
async function orAbort<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  signal.throwIfAborted();
  let abort: (() => void) | undefined;
  const aborted = new Promise<never>((_, reject) => {
    abort = () => reject(signal.reason as Error);
    signal.addEventListener('abort', abort, { once: true });
  });
  try {
    return await Promise.race([promise, aborted]);
  } finally {
    signal.removeEventListener('abort', abort!);
  }
}

/** The error an export fails with; undefined when it is worth another attempt. */
function finalError(error: unknown, order: ExportOrder): WaltrailError | undefined {
  // Where the trail cannot be reached is no business of who asked for the file, and may pass.
  if (isWaltrailError(error) && error.retry !== 'backoff' && !isConnectError(error)) return error;
  if (order.attempts < MAX_ATTEMPTS) return undefined;
  const sqlState = codeOf(error);
  const reason = typeof sqlState === 'string' ? ` (${sqlState})` : '';
  return new WaltrailError(
    'EXPORT_FAILED',
    `The file could not be made in ${MAX_ATTEMPTS} attempts${reason}.`,
    {
      cause: error,
    },
  );
}

/** Code and place of what lies beneath an error. Not its message: a driver's may quote a row. */
function traceOf(error: WaltrailError): { cause: string; at: string[] } {
  const cause = (error.cause ?? error) as Error & { code?: unknown };
  const frames = cause.stack?.split('\n').filter((line) => line.startsWith('    at ')) ?? [];
  return {
    cause: typeof cause.code === 'string' ? cause.code : cause.name,
    at: frames.slice(0, 8).map((line) => line.trim()),
  };
}
