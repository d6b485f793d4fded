import type { RowBatch } from '../trail/read/row-batch.js';
import type { Coverage } from './cover.js';
import type { ExportOrder } from './export.js';
import type { PartFile } from './files.js';
import type { ExportStore } from './store.js';

/**
 * Between two marks. What is lost with a killed run is made within about this time again; each mark costs a
 * sync of what was written since, beside which rows are read and written on.
 */
const MARK_INTERVAL_MS = 500;

export interface MarksOptions {
  readonly order: ExportOrder;
  readonly part: PartFile;
  readonly coverage: Coverage;
  readonly store: Pick<ExportStore, 'keep'>;
  /** Of Waltrail. */
  readonly version: string;
  /** Called when the row says that the file has grown. */
  readonly grown: () => void;
}

/**
 * Makes a growing file durable about twice a second, and then has the row say how far it is, so that a later
 * run continues there. In this order: what the row names is on disk whenever the machine fails.
 */
export class Marks {
  readonly #options: MarksOptions;
  #making: Promise<void> = Promise.resolve();
  #madeAt = Date.now();
  #isNamed = false;

  constructor(options: MarksOptions) {
    this.#options = options;
  }

  /** Whether the row names this file, so that it has to be left to a later run. */
  get isNamed(): boolean {
    return this.#isNamed;
  }

  /**
   * Told that all rows of a batch are in the file. Throws what the disk refused of the mark before: a sync
   * that failed may succeed the next time without the bytes.
   */
  async written(batch: RowBatch): Promise<void> {
    if (Date.now() - this.#madeAt < MARK_INTERVAL_MS || batch.count === 0) return;
    await this.#making;
    this.#make(batch.entry(batch.count - 1).id, this.#options.grown);
  }

  /** Has the row name this file, which is as far as the one that it continues. */
  async takeOver(belowId: string): Promise<void> {
    this.#make(belowId, () => undefined);
    await this.#making;
  }

  /** Begins a mark behind the entry that was written last. */
  #make(belowId: string, made: () => void): void {
    const { part, coverage, order, version, store } = this.#options;
    const { entries, firstLsn, lastLsn } = coverage;
    const kept = { part: order.claim, bytes: part.bytes, belowId, entries, firstLsn, lastLsn, version };
    this.#madeAt = Date.now();
    this.#making = part.sync().then(async () => {
      // Set before the row may say so, because a connection may be lost with the answer.
      this.#isNamed = true;
      // Whatever ails the database, the run itself will meet it, and so does a claim that was lost.
      if (await store.keep(order, kept).catch(() => false)) made();
    });
    // Thrown where it is waited for.
    this.#making.catch(() => undefined);
  }

  /** Resolves when no mark is being made, and throws what the disk refused of it. */
  async end(): Promise<void> {
    await this.#making;
  }
}
