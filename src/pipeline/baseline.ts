import type { Lsn } from '../pg/lsn.js';
import type { Relation } from '../pgoutput/reader.js';
import type { Tuple } from '../pgoutput/tuple.js';
import type { Notice } from './ports.js';
import type { TableFacts } from './table-facts.js';

/**
 * The rows of tables as of one position of the stream: what commits before it is in them, what commits at
 * it or behind is not (DECISIONS 107).
 */
export interface Baseline {
  readonly lsn: Lsn;
  /** When they were read, by the clock of the source: microseconds since 2000-01-01. */
  readonly at: bigint;
  readonly tables: readonly BaselineOfTable[];
}

export interface BaselineOfTable {
  /** Null: there is only something to tell. */
  readonly read: {
    /** As the stream would describe it at the position. */
    readonly relation: Relation;
    /** As of the position. */
    readonly facts: TableFacts;
    /** Each row is valid until the next is taken. */
    readonly rows: Iterable<Tuple>;
  } | null;
  /**
   * What is stored with the entries of the rows, of which there are so many: an entry that says so, and what
   * the trail executes.
   */
  readonly told: (entries: number) => { readonly notice: Notice; readonly statement: string };
}

/** A baseline on its way to its place in the stream. */
export interface PlacedBaseline {
  readonly baseline: Baseline;
  /** Called when it is durable; never, where the pipeline ends before. */
  readonly stored: () => void;
}

/**
 * Holds the transactions back that commit at a position or behind it. A baseline is placed before the first
 * transaction that its rows do not show, so none of these may be handed over before the rows are there.
 */
export class BaselineGate {
  #heldFrom: Lsn | null = null;
  #placed: PlacedBaseline | null = null;
  #waiting: { readonly commitLsn: Lsn; readonly pass: () => void } | null = null;
  /** Everything that commits before it was handed over. */
  #passedUntil: Lsn;

  /** @param lsn the checkpoint */
  constructor(lsn: Lsn) {
    this.#passedUntil = lsn;
  }

  /** Whether something is held back, or waits for its place. */
  get isShut(): boolean {
    return this.#heldFrom !== null || this.#placed !== null;
  }

  /**
   * Holds back what commits at `lsn` or behind it; null: nothing. Another position replaces it.
   */
  holdFrom(lsn: Lsn | null): void {
    this.#heldFrom = lsn;
    const waiting = this.#waiting;
    if (waiting === null || (lsn !== null && waiting.commitLsn >= lsn)) return;
    this.#waiting = null;
    waiting.pass();
  }

  /** The transaction that is next commits at `commitLsn`. A promise has to be waited for. */
  next(commitLsn: Lsn): Promise<void> | undefined {
    this.#passedUntil = commitLsn;
    if (this.#heldFrom === null || commitLsn < this.#heldFrom) return undefined;
    return new Promise((pass) => (this.#waiting = { commitLsn, pass }));
  }

  /** No transaction is on its way that commits before `lsn`. */
  quietUntil(lsn: Lsn): void {
    this.#passedUntil = lsn;
  }

  /** To be taken by {@link take} once everything before its position was handed over. */
  place(placed: PlacedBaseline): void {
    this.#placed = placed;
  }

  /** The baseline whose place is here; null: there is none. */
  take(): PlacedBaseline | null {
    const placed = this.#placed;
    if (placed === null || this.#passedUntil < placed.baseline.lsn) return null;
    this.#placed = null;
    return placed;
  }
}
