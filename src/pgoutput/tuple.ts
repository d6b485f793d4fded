/** PostgreSQL's limit on columns of a table (MaxTupleAttributeNumber is 1664). */
export const MAX_COLUMNS = 1664;

/** Lengths that stand for a value that is not there. */
export const LENGTH_NULL = -1;
/** Unchanged TOAST: the source did not send the value because the update did not touch it. */
export const LENGTH_UNCHANGED = -2;

/**
 * One row of a change, as places in the bytes it arrived in: nothing is copied and no string is made. Valid only while
 * the handler that was given it runs, since the bytes belong to the reader's buffer, which is reused.
 */
export class Tuple {
  bytes: Buffer = EMPTY;
  /** Columns sent. */
  count = 0;
  /** Offset of each value in `bytes`. */
  readonly offsets = new Int32Array(MAX_COLUMNS);
  /** Length of each value in bytes, LENGTH_NULL or LENGTH_UNCHANGED. */
  readonly lengths = new Int32Array(MAX_COLUMNS);

  /** The value as text; null for SQL null and for a value that was not sent. Not for the hot path. */
  text(column: number): string | null {
    const length = this.lengths[column]!;
    if (column >= this.count || length < 0) return null;
    const start = this.offsets[column]!;
    return this.bytes.toString('utf8', start, start + length);
  }

  has(column: number): boolean {
    return column < this.count && this.lengths[column]! >= 0;
  }
}

const EMPTY = Buffer.alloc(0);
