import { LSN_ZERO, type Lsn } from '../../pg/lsn.js';
import type { TransactionEnd } from '../../pipeline/ports.js';
import type { SentTransaction } from './checkpoint.js';
import type { EntryRowBuffer } from './rows.js';

/** A transaction with changes, and where it ends. */
export interface EndedTransaction extends SentTransaction {
  readonly endLsn: Lsn;
}

/**
 * Last position up to which all written source transactions are complete. It is set for every transaction, so
 * it keeps bytes and converts them to bigints only on request.
 */
export class Boundary {
  /** Bytes of rows up to the boundary that were not sent. */
  bytes = 0;
  entries = 0;
  /** Whether the commit time is from the source's clock. */
  byClock = true;
  /** End LSN (8) and commit time (8); all zero before the first transaction. */
  readonly #end = Buffer.alloc(16);
  /** End LSN (8), commit LSN (8) and commit time as sent (8) of the last transaction with changes. */
  readonly #last = Buffer.alloc(24);

  set(rows: EntryRowBuffer, end: TransactionEnd & { readonly bytes: Buffer; readonly at: number }): void {
    const { bytes, at, begun } = end;
    this.byClock = end.byClock;
    this.bytes = rows.bytes;
    this.entries = rows.entries;
    for (let index = 0; index < 16; index++) this.#end[index] = bytes[at + index]!;
    if (begun == null) return;
    for (let index = 0; index < 8; index++) this.#last[index] = this.#end[index]!;
    for (let index = 0; index < 16; index++) this.#last[8 + index] = begun.getUint8(index);
  }

  /**
   * Includes rows that were written between two transactions after the boundary was set. `lsn` is the end of
   * the trail. The boundary moves there unless it is already beyond it.
   */
  extend(rows: EntryRowBuffer, lsn: Lsn): void {
    this.bytes = rows.bytes;
    this.entries = rows.entries;
    if (this.endLsn > lsn) return;
    this.#end.writeBigUInt64BE(lsn);
    this.#end.writeBigInt64BE(0n, 8);
  }

  /** Must be called after everything up to the boundary was sent. */
  sent(): void {
    this.bytes = 0;
    this.entries = 0;
  }

  /** The last transaction with changes; null: there was none since the session began. */
  get last(): EndedTransaction | null {
    const endLsn = this.#last.readBigUInt64BE();
    return endLsn === LSN_ZERO
      ? null
      : { endLsn, commitLsn: this.#last.readBigUInt64BE(8), sentAt: this.#last.readBigInt64BE(16) };
  }

  get endLsn(): Lsn {
    return this.#end.readBigUInt64BE();
  }

  /** Commit time in microseconds since 2000-01-01; null: no transaction ends here. */
  get committedAt(): bigint | null {
    const committedAt = this.#end.readBigInt64BE(8);
    return committedAt === 0n ? null : committedAt;
  }
}
