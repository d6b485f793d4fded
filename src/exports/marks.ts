import type { RowBatch } from '../trail/read/row-batch.js';
import type { Coverage } from './cover.js';
import type { ExportOrder } from './export.js';
import type { PartFile } from './files.js';
import type { ExportStore } from './store.js';

/**
 * Time between two marks. If a run is killed, about as much work is lost. Each mark costs a sync of what was
 * written since, while rows are read and written.
 */
const MARK_INTERVAL_MS = 500;

export interface MarksOptions {
  readonly order: ExportOrder;
  readonly part: PartFile;
  readonly coverage: Coverage;
  readonly store: Pick<ExportStore, 'keep'>;
  /** Version of Waltrail. */
  readonly version: string;
  /** Called when the row states that the file has grown. */
  readonly grown: () => void;
}

/**
 * Makes a growing file durable about twice a second, and then stores in the row how much of it is durable, so
 * that a later run continues there. In this order, what the row states is on disk whenever the machine fails.
 */
export class Marks {
  readonly #options: MarksOptions;
  #making: Promise<void> = Promise.resolve();
  #madeAt = performance.now();
  #isNamed = false;

  constructor(options: MarksOptions) {
    this.#options = options;
  }

  /** True if the row may name this file, so that it has to be left to a later run. */
  get isNamed(): boolean {
    return this.#isNamed;
  }

  /**
   * Notes that all rows of a batch are in the file. Throws the error of the mark before, because a sync that
   * failed may succeed the next time without the bytes.
   */
  async written(batch: RowBatch): Promise<void> {
    if (performance.now() - this.#madeAt < MARK_INTERVAL_MS || batch.count === 0) return;
    await this.#making;
    this.#make(batch.entry(batch.count - 1).id, this.#options.grown);
  }

  /** Stores in the row that this file replaces the one that it continues, with the same content. */
  async takeOver(belowId: string): Promise<void> {
    this.#make(belowId, () => undefined);
    await this.#making;
  }

  /** Begins a mark after the entry that was written last. */
  #make(belowId: string, made: () => void): void {
    const { part, coverage, order, version, store } = this.#options;
    const { entries, firstLsn, lastLsn } = coverage;
    const kept = { part: order.claim, bytes: part.bytes, belowId, entries, firstLsn, lastLsn, version };
    this.#madeAt = performance.now();
    this.#making = part.sync().then(async () => {
      // Set before the row may name the file, because a connection may be lost before the answer.
      this.#isNamed = true;
      // If the database fails or the claim was lost, the run itself finds out.
      if (await store.keep(order, kept).catch(() => false)) made();
    });
    // The error is thrown where the mark is awaited.
    this.#making.catch(() => undefined);
  }

  /** Waits for the present mark. Throws if the disk refused it. */
  async end(): Promise<void> {
    await this.#making;
  }
}
