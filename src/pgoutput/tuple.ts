import { bytesText, keyText } from '../pg/text.js';

/** PostgreSQL's limit on columns of a table (MaxTupleAttributeNumber is 1664). */
export const MAX_COLUMNS = 1664;

/** Values of `lengths` for columns without a value. */
export const LENGTH_NULL = -1;
/** Unchanged TOAST: the source did not send the value because the update did not touch it. */
export const LENGTH_UNCHANGED = -2;

/**
 * One row of a change, as places in the bytes in which it arrived. Nothing is copied and no string is
 * created. It is valid only while the handler that receives it runs, because the reader reuses its buffer.
 */
export class Tuple {
  bytes: Buffer = EMPTY;
  /** Number of columns that were sent. */
  count = 0;
  /** Offset of each value in `bytes`. */
  readonly offsets = new Int32Array(MAX_COLUMNS);
  /** Length of each value in bytes, LENGTH_NULL or LENGTH_UNCHANGED. */
  readonly lengths = new Int32Array(MAX_COLUMNS);
  /** Whether some values are opaque. If not, `opaque` may still hold the marks of an earlier row. */
  hasOpaque = false;
  /**
   * By column index: 1 for bytes that are invalid in the source's encoding, even if they happen to be valid
   * UTF-8.
   */
  readonly opaque = new Uint8Array(MAX_COLUMNS);

  isOpaque(column: number): boolean {
    return this.hasOpaque && this.opaque[column] === 1;
  }

  /**
   * Returns the value as `keyText` of pg/text.ts does; null for SQL null and for a value that was not sent.
   * Too slow for the hot path.
   */
  text(column: number): string | null {
    const length = this.lengths[column]!;
    if (column >= this.count || length < 0) return null;
    const start = this.offsets[column]!;
    return this.isOpaque(column)
      ? bytesText(this.bytes.toString('hex', start, start + length))
      : keyText(this.bytes, start, length);
  }

  has(column: number): boolean {
    return column < this.count && this.lengths[column]! >= 0;
  }
}

const EMPTY = Buffer.alloc(0);
