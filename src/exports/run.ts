import { codeOf, isWaltrailError, WaltrailError } from '../errors.js';
import type { Log } from '../log.js';
import { isConnectError } from '../pg/connect-error.js';
import type { GapsInRange } from '../trail/read/gap-list.js';
import { filterOf } from '../trail/read/requested-filter.js';
import type { RowBatch } from '../trail/read/row-batch.js';
import type { TrailReader } from '../trail/read/trail-reader.js';
import { Coverage, coverLines, MAX_COVER_GAPS } from './cover.js';
import { ZoneClock } from './dates.js';
import { problemOf, type ExportOrder, type Kept } from './export.js';
import { fileName } from './file-name.js';
import type { ExportFiles, PartFile } from './files.js';
import { Marks } from './marks.js';
import type { ExportStore } from './store.js';

/**
 * How a run ended. `ready` and `failed` are in the row. `skipped`: there was nothing to do. `lost`: the
 * export was removed or taken over during the run. `released`: the run was stopped, and the export waits for
 * another run.
 */
export type RunOutcome = 'ready' | 'failed' | 'skipped' | 'lost' | 'released';

export interface RunOptions {
  readonly id: string;
  readonly store: ExportStore;
  readonly files: ExportFiles;
  readonly reader: Pick<TrailReader, 'count' | 'walkRows' | 'gaps'>;
  /** Stops the run. The export returns to the queue. */
  readonly signal: AbortSignal;
  readonly version: string;
  readonly log: Log;
}

/**
 * Number of runs that may end without a result and without progress, as by a killed worker or a lost
 * connection, before the export fails.
 */
export const MAX_ATTEMPTS = 5;
/** Days that a file is kept. */
const KEEP_DAYS = 7;

const PROGRESS_INTERVAL_MS = 500;

/**
 * Writes the file of one export, from its claim to the final state of its row. If an export has several runs,
 * at most one of them publishes a file. If another attempt may succeed, it releases the export and throws.
 */
export async function runExport(options: RunOptions): Promise<RunOutcome> {
  const { id, store, log } = options;
  const order = await store.claim(id);
  if (order === undefined) return 'skipped';
  const run = new Run(order, store);
  try {
    if (order.attempts > MAX_ATTEMPTS) {
      throw new WaltrailError(
        'EXPORT_GAVE_UP',
        `${MAX_ATTEMPTS} runs of this export ended without progress.`,
      );
    }
    const outcome = await makeFile(order, run, options);
    if (outcome === 'released') await store.release(order, { counted: false });
    return outcome;
  } catch (error) {
    const final = finalError(error, run);
    if (final === undefined) {
      await store.release(order, { counted: true });
      throw error;
    }
    log.error({ export: id, code: final.code, ...traceOf(final) }, 'An export failed.');
    await store.fail(order, problemOf(final));
    await options.files.deleteParts(id).catch(() => undefined);
    return 'failed';
  } finally {
    run.end();
  }
}

async function makeFile(order: ExportOrder, run: Run, options: RunOptions): Promise<RunOutcome> {
  const { store, reader, signal } = options;
  const stop = AbortSignal.any([signal, run.lost]);
  let begun: BegunFile | undefined;
  try {
    const filter = { ...filterOf(order.filters, order.tenant), ...order.range };
    begun = await beginFile(order, run, { ...options, stop });
    const { part, marks, belowId } = begun;
    run.total = order.total ?? (await orAbort(reader.count(filter, { below: order.belowId }), stop));
    const gaps = await orAbort(reader.gaps(order.range, { limit: MAX_COVER_GAPS }), stop);
    // Only the format ndjson shows contexts.
    const withContexts = order.format === 'ndjson';
    const walk = reader.walkRows(filter, { below: belowId ?? order.belowId, withContexts });
    const batches = run.counted(walk, { stop, marks });
    await writeFormat({ order, begun, batches, coverage: run.coverage, gaps, options });
    await marks?.end();
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
    if (finished) begun = undefined;
    return finished ? 'ready' : 'lost';
  } catch (error) {
    if (run.lost.aborted) return 'lost';
    if (signal.aborted) return 'released';
    throw error;
  } finally {
    if (begun !== undefined) await endUnfinished(begun, order, store);
  }
}

/** A file that is being written. */
interface BegunFile {
  readonly part: PartFile;
  /** Null: a file of this format cannot be continued. */
  readonly marks: Marks | null;
  /** Id of the last entry that an earlier run wrote; null: the file begins with this run. */
  readonly belowId: string | null;
}

/** Begins the file. Continues what an earlier run has left, if that is usable. */
async function beginFile(
  order: ExportOrder,
  run: Run,
  options: Pick<RunOptions, 'files' | 'store' | 'version'> & { readonly stop: AbortSignal },
): Promise<BegunFile> {
  const { files, store, stop, version } = options;
  const { coverage } = run;
  // A zip archive has no place where another run could continue.
  if (order.format === 'xlsx') return { part: await files.begin(order), marks: null, belowId: null };
  const kept = order.kept?.version === version ? order.kept : null;
  const marksOf = (part: PartFile): Marks =>
    new Marks({ order, part, coverage, store, version, grown: () => run.grown() });
  if (kept !== null) {
    const { belowId } = kept;
    // Set before the copy, which takes seconds during which the progress is stored.
    coverage.continueAt(kept);
    const part = await continueFile(order, { files, kept, stop });
    if (part !== undefined) {
      const marks = marksOf(part);
      // The row names this file before the earlier one is deleted.
      await marks.takeOver(belowId);
      await files.deleteParts(order.id, { butOf: order.claim });
      return { part, marks, belowId };
    }
    coverage.continueAt({ entries: 0, firstLsn: null, lastLsn: null });
  }
  const part = await files.begin(order);
  return { part, marks: marksOf(part), belowId: null };
}

/**
 * Continues a kept file in a copy. Returns undefined if the disk has no room for the copy; the file then
 * begins again.
 */
async function continueFile(
  order: ExportOrder,
  { files, kept, stop }: { readonly files: ExportFiles; readonly kept: Kept; readonly stop: AbortSignal },
): Promise<PartFile | undefined> {
  try {
    return await files.continue({ ...order, kept, signal: stop });
  } catch (error) {
    if (codeOf(error) === 'EXPORT_DISK_FULL') return undefined;
    throw error;
  }
}

/** Leaves the file to a later run if its row names it. Deletes a file that no run could continue. */
async function endUnfinished(
  { part, marks }: BegunFile,
  order: ExportOrder,
  store: ExportStore,
): Promise<void> {
  await marks?.end().catch(() => undefined);
  if (marks === null || !marks.isNamed) return part.discard();
  // If the trail does not answer, the export may still be wanted.
  const isWanted = await store.live([order.id]).then(
    (ids) => ids.has(order.id),
    () => true,
  );
  await (isWanted ? part.leave() : part.discard());
}

/**
 * Counts the rows, stores the progress twice a second, and finds out when the export no longer belongs to
 * this run.
 */
class Run {
  readonly coverage = new Coverage();
  total: number | null = null;
  /** Number of runs without progress, including this one. */
  attempts: number;
  readonly #lost = new AbortController();
  readonly #timer: NodeJS.Timeout;

  constructor(order: ExportOrder, store: ExportStore) {
    this.attempts = order.attempts;
    let writing = false;
    this.#timer = setInterval(() => {
      if (writing) return;
      writing = true;
      store
        .progress(order, { done: this.coverage.entries, total: this.total })
        .then((mine) => {
          if (!mine) this.#lost.abort();
        })
        // If the database fails, the run itself meets the error.
        .catch(() => undefined)
        .finally(() => (writing = false));
    }, PROGRESS_INTERVAL_MS);
  }

  /** Aborted when the row is removed or claimed by another run. */
  get lost(): AbortSignal {
    return this.#lost.signal;
  }

  /**
   * Counts batches as they pass. When the caller asks for the next batch, all rows of the one before are in
   * the file.
   */
  async *counted(
    walk: AsyncIterable<RowBatch>,
    { stop, marks }: { readonly stop: AbortSignal; readonly marks: Marks | null },
  ): AsyncGenerator<RowBatch> {
    const iterator = walk[Symbol.asyncIterator]();
    try {
      for (;;) {
        const next = await orAbort(iterator.next(), stop);
        if (next.done === true) return;
        this.coverage.add(next.value);
        yield next.value;
        await marks?.written(next.value);
      }
    } finally {
      // Not awaited, because the query may still be running after an abort.
      void iterator.return?.().catch(() => undefined);
    }
  }

  /** Notes that the row counts attempts from 1 again, because the file has grown. */
  grown(): void {
    this.attempts = 1;
  }

  end(): void {
    clearInterval(this.#timer);
  }
}

async function writeFormat(context: {
  readonly order: ExportOrder;
  readonly begun: BegunFile;
  readonly batches: AsyncIterable<RowBatch>;
  readonly coverage: Coverage;
  readonly gaps: GapsInRange;
  readonly options: RunOptions;
}): Promise<void> {
  const { order, batches, coverage, gaps } = context;
  const { part: sink, belowId } = context.begun;
  const continues = belowId !== null;
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
      return writeCsv({ batches, sink, continues, clock });
    }
    case 'ndjson': {
      const { writeNdjson } = await import('./text-formats.js');
      return writeNdjson({ batches, sink, continues });
    }
    default:
      return order.format satisfies never;
  }
}

/** Rejects as soon as the signal aborts, whatever the promise does. */
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

/** Returns the error with which the export fails; undefined: another attempt may succeed. */
function finalError(error: unknown, { attempts }: Run): WaltrailError | undefined {
  // A connection error is not final: it may be temporary, and it would tell the requester where the trail is.
  if (isWaltrailError(error) && error.retry !== 'backoff' && !isConnectError(error)) return error;
  if (attempts < MAX_ATTEMPTS) return undefined;
  const sqlState = codeOf(error);
  const reason = typeof sqlState === 'string' ? ` (${sqlState})` : '';
  return new WaltrailError(
    'EXPORT_FAILED',
    `The file could not be written in ${MAX_ATTEMPTS} attempts${reason}.`,
    {
      cause: error,
    },
  );
}

/**
 * Returns code and stack of an error's cause. Leaves the message out, because a driver's message may quote a
 * row.
 */
function traceOf(error: WaltrailError): { cause: string; at: string[] } {
  const cause = (error.cause ?? error) as Error & { code?: unknown };
  const frames = cause.stack?.split('\n').filter((line) => line.startsWith('    at ')) ?? [];
  return {
    cause: typeof cause.code === 'string' ? cause.code : cause.name,
    at: frames.slice(0, 8).map((line) => line.trim()),
  };
}
