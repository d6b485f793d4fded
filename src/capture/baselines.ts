import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { codeOf } from '../errors.js';
import type { Log } from '../log.js';
import type { Lsn } from '../pg/lsn.js';
import { runningTransactions, untilEnded } from '../pg/running.js';
import type { CaptureWaiting } from '../pipeline/capture-status.js';
import type { Pipeline } from '../pipeline/pipeline.js';
import { createSlot } from '../source/slot.js';
import { baselineTables, takeableTables, type BaselineTable } from '../tracking/baseline.js';
import { formatTable } from '../tracking/names.js';
import type { PublishedState } from '../tracking/published.js';
import type { TrackingConfig } from '../tracking/rules.js';
import { readDueBaselines } from '../trail/write/baselines.js';
import { asWriter } from './as-writer.js';
import type { BaselineAttempts } from './baseline-attempts.js';
import { placeBaseline, wantedBaseline, type TakenBaseline } from './placed-baseline.js';
import { readBaseline } from './read-baseline.js';
import type { SourceCatalog } from './source-catalog.js';
import { onSource } from './source-state.js';
import { withDelayedStream } from './stream-delay.js';
import { sayWhileWaiting } from './waiting.js';

/**
 * Time limit for creating a slot. A slot that takes longer waits for transactions. It is given up, because it
 * keeps WAL and dead rows on the source.
 */
const SLOT_LIMIT_MS = 60_000;
/**
 * Number of looks between two checks in the trail whether a baseline is due. The end of a gap is not reported
 * here.
 */
const LOOKS_BETWEEN = 5;
/**
 * Number of looks between two baselines of one table. It is large, because the table's owner can cause any
 * number of gaps.
 */
const LOOKS_BETWEEN_TWO = 300;
const WAITS = { what: 'A baseline of tables', everywhere: true };

export interface BaselinesOptions {
  readonly config: TrackingConfig;
  readonly log: Log;
  readonly pipeline: Pick<Pipeline, 'holdFrom' | 'place' | 'storedUntil'>;
  readonly attempts: BaselineAttempts;
  readonly catalog: SourceCatalog;
  readonly published: PublishedState;
  /** End of the source's WAL when the session began. What comes before it is a backlog. */
  readonly sourceLsn: Lsn;
  readonly lookMs: number;
  readonly waiting: (waiting: CaptureWaiting | null) => void;
}

/**
 * Takes the baselines that are due while capture streams. The rows are read in the snapshot of a new,
 * temporary slot, which is exactly the state at the slot's position. They are stored before the first
 * transaction that commits at or after it (DECISIONS 107). A baseline becomes durable as a whole, so one that
 * is interrupted is taken again.
 */
export class Baselines {
  readonly #options: BaselinesOptions;
  readonly #abort = new AbortController();
  readonly #running: Promise<void>;
  #catalog: SourceCatalog;
  #published: PublishedState;
  #wake: () => void = () => undefined;

  constructor(options: BaselinesOptions) {
    this.#options = options;
    this.#catalog = options.catalog;
    this.#published = options.published;
    this.#running = this.#run();
  }

  /** Takes over what a look has found. */
  learned(now: { readonly catalog: SourceCatalog; readonly published: PublishedState }): void {
    this.#catalog = now.catalog;
    this.#published = now.published;
  }

  /** Never rejects. */
  async stop(): Promise<void> {
    this.#abort.abort();
    await this.#running;
  }

  async #run(): Promise<void> {
    const { log, lookMs } = this.#options;
    const { signal } = this.#abort;
    let isFirst = true;
    while (!signal.aborted) {
      let looks = LOOKS_BETWEEN;
      const woken = new Promise<void>((resolve) => (this.#wake = resolve));
      try {
        // The first pass also forgets baselines that are no longer wanted.
        if (isFirst || this.#wanted().length > 0) {
          if (await this.#takeDue()) isFirst = false;
          else looks = 1;
        }
      } catch (error) {
        if (!signal.aborted)
          log.warn({ code: codeOf(error) }, 'A baseline could not be taken. Waltrail tries again.');
      }
      const pause = sleep(looks * lookMs, undefined, { signal, ref: false });
      await Promise.race([woken, pause]).catch(() => undefined);
    }
  }

  /** Returns the tables with a wanted baseline that are captured and can be read. */
  #wanted(): readonly BaselineTable[] {
    return takeableTables({
      config: this.#options.config,
      catalog: this.#catalog,
      published: this.#published,
    });
  }

  /**
   * Takes the baselines that are due. Returns false if the stream has not yet reached the position where it
   * can do so.
   */
  async #takeDue(): Promise<boolean> {
    const { config, attempts, pipeline, sourceLsn, lookMs } = this.#options;
    const wanted = this.#wanted();
    // The backlog is read first. If it ended the session, rows in memory would have been read in vain.
    if (wanted.length > 0 && pipeline.storedUntil < sourceLsn) return false;
    attempts.keep(wanted.map(({ key }) => key));
    // A renamed table keeps its record under the name in the YAML.
    const known = [
      ...baselineTables({ config, catalog: this.#catalog }).map(({ key }) => key),
      ...Object.values(this.#published.tables).flatMap(({ knownAs }) =>
        knownAs === undefined ? [] : formatTable(knownAs),
      ),
    ];
    const { due, askedAt } = await asWriter(
      { config, signal: this.#abort.signal, purpose: 'baseline' },
      (client) =>
        readDueBaselines(client, {
          wanted: wanted.map(wantedBaseline),
          known,
          againMs: LOOKS_BETWEEN_TWO * lookMs,
        }),
    );
    const tables = wanted.filter(({ key }) => due.has(key) && attempts.mayTry(key));
    if (tables.length > 0) await this.#take({ tables, askedAt });
    return true;
  }

  async #take(options: {
    readonly tables: readonly BaselineTable[];
    readonly askedAt: string;
  }): Promise<void> {
    const { config, pipeline, attempts } = this.#options;
    const { signal } = this.#abort;
    const source = { config, signal };
    for (const { key } of options.tables) attempts.begun(key);
    let isPlaced = false;
    try {
      const taken = await onSource(source, (client) =>
        sayWhileWaiting({ ...this.#options, ...source, ...WAITS }, async (said) => {
          // Waits before the slot exists, because a slot would keep WAL and dead rows during the wait.
          const transactions = await runningTransactions(client);
          await untilEnded(client, { transactions, limitMs: Infinity, signal });
          return withDelayedStream(
            client,
            { holdFrom: (lsn) => void pipeline.holdFrom(lsn), signal },
            (over) => {
              const made = (): void => {
                over();
                said();
              };
              return this.#read({ tables: options.tables, made });
            },
          );
        }),
      );
      if (taken === null) return;
      isPlaced = true;
      await this.#place({ ...taken, askedAt: options.askedAt });
      // Tables for which there was no room are taken next.
      const read = new Set(taken.read.tables.map(({ table }) => table.key));
      const left = options.tables.filter(({ key }) => !read.has(key));
      for (const { key } of left) attempts.done(key);
      if (left.length > 0) this.#wake();
    } finally {
      pipeline.holdFrom(null);
      // If the session ended before anything was placed, that says nothing about the tables.
      if (signal.aborted && !isPlaced) for (const { key } of options.tables) attempts.done(key);
    }
  }

  /**
   * Reads tables in the snapshot of a new slot. Returns null if the stream has already passed the slot's
   * position; then nothing was read.
   */
  async #read({
    tables,
    made,
  }: {
    readonly tables: readonly BaselineTable[];
    readonly made: () => void;
  }): Promise<Omit<TakenBaseline, 'askedAt'> | null> {
    const { config, pipeline } = this.#options;
    const { signal } = this.#abort;
    const limit = new AbortController();
    const timer = setTimeout(() => limit.abort(), SLOT_LIMIT_MS);
    let taken: Omit<TakenBaseline, 'askedAt'> | null = null;
    const slot = `waltrail_baseline_${randomBytes(8).toString('hex')}`;
    try {
      await createSlot({
        url: config.source.url,
        slot,
        temporary: true,
        signal: AbortSignal.any([signal, limit.signal]),
        begin: async ({ startLsn: lsn, snapshot }) => {
          clearTimeout(timer);
          made();
          if (!pipeline.holdFrom(lsn)) return;
          const [catalog, published] = [this.#catalog, this.#published];
          taken = { lsn, read: await readBaseline({ config, tables, catalog, snapshot, published, signal }) };
        },
      });
    } finally {
      clearTimeout(timer);
    }
    return taken;
  }

  /** Resolves when the baseline is durable or the session has ended. */
  #place(taken: TakenBaseline): Promise<void> {
    const { pipeline, log, attempts } = this.#options;
    return new Promise<void>((resolve) => {
      this.#abort.signal.addEventListener('abort', () => resolve(), { once: true });
      placeBaseline({ taken, pipeline, log, attempts, stored: resolve });
    });
  }
}
