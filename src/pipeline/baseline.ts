import type { Lsn } from '../pg/lsn.js';
import type { Relation } from '../pgoutput/reader.js';
import type { Tuple } from '../pgoutput/tuple.js';
import type { Notice } from './ports.js';
import type { TableFacts } from './table-facts.js';

/**
 * The rows of tables as of one position of the stream. They include what commits before the position, and
 * exclude what commits at or after it (DECISIONS 107).
 */
export interface Baseline {
  readonly lsn: Lsn;
  /** When the rows were read, by the source's clock: microseconds since 2000-01-01. */
  readonly at: bigint;
  readonly tables: readonly BaselineOfTable[];
}

export interface BaselineOfTable {
  /** Null: no rows were read, and only `told` is stored. */
  readonly read: {
    /** The table as the stream would describe it at the position. */
    readonly relation: Relation;
    /** Facts of the table as of the position. */
    readonly facts: TableFacts;
    /** Each row is valid until the next one is taken. */
    readonly rows: Iterable<Tuple>;
  } | null;
  /**
   * Returns what is stored with the given number of entries: an entry that states what was read, and a
   * statement for the trail to execute.
   */
  readonly told: (entries: number) => { readonly notice: Notice; readonly statement: string };
}

/** A baseline that waits for its place in the stream. */
export interface PlacedBaseline {
  readonly baseline: Baseline;
  /** Called when the baseline is durable. Never called if the pipeline ends earlier. */
  readonly stored: () => void;
}

/**
 * Holds back transactions that commit at or after a position. A baseline is placed before the first
 * transaction that its rows do not include, so such a transaction must wait for the rows.
 */
export class BaselineGate {
  #heldFrom: Lsn | null = null;
  #placed: PlacedBaseline | null = null;
  #waiting: { readonly commitLsn: Lsn; readonly pass: () => void } | null = null;
  /** All transactions that commit before this position were handed over. */
  #passedUntil: Lsn;

  /** @param lsn the checkpoint */
  constructor(lsn: Lsn) {
    this.#passedUntil = lsn;
  }

  /** Whether transactions are to be held back, or a baseline waits for its place. */
  get isShut(): boolean {
    return this.#heldFrom !== null || this.#placed !== null;
  }

  /** Holds back transactions that commit at or after `lsn`; null: none. Replaces the previous position. */
  holdFrom(lsn: Lsn | null): void {
    this.#heldFrom = lsn;
    const waiting = this.#waiting;
    if (waiting === null || (lsn !== null && waiting.commitLsn >= lsn)) return;
    this.#waiting = null;
    waiting.pass();
  }

  /**
   * Announces that the next transaction commits at `commitLsn`. If a promise is returned, wait for it first.
   */
  next(commitLsn: Lsn): Promise<void> | undefined {
    this.#passedUntil = commitLsn;
    if (this.#heldFrom === null || commitLsn < this.#heldFrom) return undefined;
    return new Promise((pass) => (this.#waiting = { commitLsn, pass }));
  }

  /** Announces that no further transaction commits before `lsn`. */
  quietUntil(lsn: Lsn): void {
    this.#passedUntil = lsn;
  }

  /** Sets the baseline that {@link take} returns once everything before its position was handed over. */
  place(placed: PlacedBaseline): void {
    this.#placed = placed;
  }

  /** Returns the baseline that belongs at this point of the stream, or null. */
  take(): PlacedBaseline | null {
    const placed = this.#placed;
    if (placed === null || this.#passedUntil < placed.baseline.lsn) return null;
    this.#placed = null;
    return placed;
  }
}
