import type { Lsn } from '../../pg/lsn.js';
import type { EntryRowBuffer } from './rows.js';

/**
 * The last place up to which only whole source transactions are written. Set for each of them, so it keeps
 * bytes and makes bigints of them only when it is asked.
 */
export class Boundary {
  /** Of the rows that were not sent. */
  bytes = 0;
  entries = 0;
  /** The source's clock told the commit time. */
  byClock = true;
  /** End LSN (8) and commit time (8); all zero before the first transaction. */
  readonly #end = Buffer.alloc(16);

  set(
    rows: EntryRowBuffer,
    end: { readonly bytes: Buffer; readonly at: number; readonly byClock: boolean },
  ): void {
    const { bytes, at } = end;
    this.byClock = end.byClock;
    this.bytes = rows.bytes;
    this.entries = rows.entries;
    for (let index = 0; index < 16; index++) this.#end[index] = bytes[at + index]!;
  }

  /**
   * What was written since, between two transactions, belongs to it; `lsn` is where the trail ends if none
   * was written yet.
   */
  extend(rows: EntryRowBuffer, lsn: Lsn): void {
    this.bytes = rows.bytes;
    this.entries = rows.entries;
    if (this.endLsn > lsn) return;
    this.#end.writeBigUInt64BE(lsn);
    this.#end.writeBigInt64BE(0n, 8);
  }

  /** Everything up to it was sent. */
  sent(): void {
    this.bytes = 0;
    this.entries = 0;
  }

  get endLsn(): Lsn {
    return this.#end.readBigUInt64BE();
  }

  /** Microseconds since 2000-01-01; null: no transaction ends here. */
  get committedAt(): bigint | null {
    const committedAt = this.#end.readBigInt64BE(8);
    return committedAt === 0n ? null : committedAt;
  }
}
