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
 * A slot that cannot be made by then waits for transactions: it is given up, for it keeps WAL and old rows.
 */
const SLOT_LIMIT_MS = 60_000;
/** Between two questions to the trail whether a baseline is due, in looks: gaps end without a word here. */
const LOOKS_BETWEEN = 5;
/** Between two baselines of one table, in looks: whoever owns it can make gaps of it. */
const LOOKS_BETWEEN_TWO = 300;
const WAITS = { what: 'A baseline of tables', everywhere: true };

export interface BaselinesOptions {
  readonly config: TrackingConfig;
  readonly log: Log;
  readonly pipeline: Pick<Pipeline, 'holdFrom' | 'place' | 'storedUntil'>;
  readonly attempts: BaselineAttempts;
  readonly catalog: SourceCatalog;
  readonly published: PublishedState;
  /** Where the source's WAL ended when the session began: before it lies a backlog. */
  readonly sourceLsn: Lsn;
  readonly lookMs: number;
  readonly waiting: (waiting: CaptureWaiting | null) => void;
}

/**
 * Takes the baselines that are due while capture streams: rows of a new, temporary slot's snapshot, which is
 * exactly the state at the slot's position, stored before the first transaction that commits there or behind
 * (DECISIONS 107). Nothing of it is durable before all of it is, so whatever ends it, it is begun again.
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

  /** The source was looked at. */
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
        // What is wanted no more has to be forgotten once, too.
        if (isFirst || this.#wanted().length > 0) {
          if (await this.#takeDue()) isFirst = false;
          else looks = 1;
        }
      } catch (error) {
        if (!signal.aborted)
          log.warn({ code: codeOf(error) }, 'A baseline could not be taken; it is tried again.');
      }
      const pause = sleep(looks * lookMs, undefined, { signal, ref: false });
      await Promise.race([woken, pause]).catch(() => undefined);
    }
  }

  /** Tables that are captured, and can be read. */
  #wanted(): readonly BaselineTable[] {
    return takeableTables({
      config: this.#options.config,
      catalog: this.#catalog,
      published: this.#published,
    });
  }

  /** False: the stream has yet to come to where something could be taken. */
  async #takeDue(): Promise<boolean> {
    const { config, attempts, pipeline, sourceLsn, lookMs } = this.#options;
    const wanted = this.#wanted();
    // A backlog is read first: what is in memory meanwhile would be for nothing where it ends the session.
    if (wanted.length > 0 && pipeline.storedUntil < sourceLsn) return false;
    attempts.keep(wanted.map(({ key }) => key));
    // Those that are renamed keep what is known of them under the name that the YAML knows.
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
          // Before a slot is there, which would keep WAL and old rows meanwhile.
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
      // Those that had no room.
      const read = new Set(taken.read.tables.map(({ table }) => table.key));
      const left = options.tables.filter(({ key }) => !read.has(key));
      for (const { key } of left) attempts.done(key);
      if (left.length > 0) this.#wake();
    } finally {
      pipeline.holdFrom(null);
      // A session that has ended before anything was placed says nothing about the tables.
      if (signal.aborted && !isPlaced) for (const { key } of options.tables) attempts.done(key);
    }
  }

  /** Null: the stream has passed the position, and nothing was read. */
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

  /** Resolves when it is durable, or the session is over. */
  #place(taken: TakenBaseline): Promise<void> {
    const { pipeline, log, attempts } = this.#options;
    return new Promise<void>((resolve) => {
      this.#abort.signal.addEventListener('abort', () => resolve(), { once: true });
      placeBaseline({ taken, pipeline, log, attempts, stored: resolve });
    });
  }
}
