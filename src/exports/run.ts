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

/**
 * Runs that may end without an answer and without getting further (a killed worker, a lost connection) before
 * the export fails.
 */
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
  const run = new Run(order, store);
  try {
    if (order.attempts > MAX_ATTEMPTS) {
      throw new WaltrailError(
        'EXPORT_GAVE_UP',
        `The file was begun ${MAX_ATTEMPTS} times without getting further.`,
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
    log.error({ export: id, code: final.code, ...traceOf(final) }, 'An export failed');
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

/** A file that is being made. */
interface BegunFile {
  readonly part: PartFile;
  /** Null: its format cannot be continued. */
  readonly marks: Marks | null;
  /** The last entry that the file has from an earlier run; null: it begins with this one. */
  readonly belowId: string | null;
}

/** Begins the file, with what an earlier run has left where that is of use. */
async function beginFile(
  order: ExportOrder,
  run: Run,
  options: Pick<RunOptions, 'files' | 'store' | 'version'> & { readonly stop: AbortSignal },
): Promise<BegunFile> {
  const { files, store, stop, version } = options;
  const { coverage } = run;
  // A zip archive has no place where another run could go on.
  if (order.format === 'xlsx') return { part: await files.begin(order), marks: null, belowId: null };
  const kept = order.kept?.version === version ? order.kept : null;
  const marksOf = (part: PartFile): Marks =>
    new Marks({ order, part, coverage, store, version, grown: () => run.grown() });
  if (kept !== null) {
    const { belowId } = kept;
    // Before the copy, which takes seconds in which the progress is told.
    coverage.continueAt(kept);
    const part = await continueFile(order, { files, kept, stop });
    if (part !== undefined) {
      const marks = marksOf(part);
      // The row names this file before the earlier one is gone.
      await marks.takeOver(belowId);
      await files.deleteParts(order.id, { butOf: order.claim });
      return { part, marks, belowId };
    }
    coverage.continueAt({ entries: 0, firstLsn: null, lastLsn: null });
  }
  const part = await files.begin(order);
  return { part, marks: marksOf(part), belowId: null };
}

/** Undefined where there is no room for what was kept beside its copy: the file then begins again. */
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

/** Leaves the file to a later run if its row names it; deletes it where nobody could continue it. */
async function endUnfinished(
  { part, marks }: BegunFile,
  order: ExportOrder,
  store: ExportStore,
): Promise<void> {
  await marks?.end().catch(() => undefined);
  if (marks === null || !marks.isNamed) return part.discard();
  // Where the trail does not answer, the export is still wanted as far as anybody knows.
  const isWanted = await store.live([order.id]).then(
    (ids) => ids.has(order.id),
    () => true,
  );
  await (isWanted ? part.leave() : part.discard());
}

/**
 * Counts what passes, tells the row twice a second, and notices there that the export is no longer this
 * run's.
 */
class Run {
  readonly coverage = new Coverage();
  total: number | null = null;
  /** Runs that got no further, this one included. */
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
        // Whatever ails the database, the run itself will meet it.
        .catch(() => undefined)
        .finally(() => (writing = false));
    }, PROGRESS_INTERVAL_MS);
  }

  /** Aborted when the row is removed or claimed by another run. */
  get lost(): AbortSignal {
    return this.#lost.signal;
  }

  /** The caller asks for the next batch when all rows of the one before are in the file. */
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
      // Not waited for: after an abort the query may still be running.
      void iterator.return?.().catch(() => undefined);
    }
  }

  /** Told that the row says that the file has grown, and so counts attempts anew. */
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
function finalError(error: unknown, { attempts }: Run): WaltrailError | undefined {
  // Where the trail cannot be reached is no business of who asked for the file, and may pass.
  if (isWaltrailError(error) && error.retry !== 'backoff' && !isConnectError(error)) return error;
  if (attempts < MAX_ATTEMPTS) return undefined;
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
