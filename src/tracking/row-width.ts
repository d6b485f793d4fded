/** What is known about the values of a column. */
export interface ColumnWidth {
  readonly name: string;
  /** As pg_attribute.attlen: the bytes of every value, or negative if they differ. */
  readonly length: number;
  /** 1, 2, 4 or 8: the alignment of values. */
  readonly align: number;
  readonly dropped: boolean;
  /**
   * Average bytes of a value in the row, as ANALYZE found them. Null: not analyzed, or not visible to the
   * role.
   */
  readonly width: number | null;
  readonly nullFraction: number;
}

const ROW_HEADER = 23;
/** Size of the header that a WAL record has instead of the row's header (xl_heap_header). */
const RECORD_HEADER = 5;
const MAX_ALIGN = 8;
/** The longest value of variable length that has a header of one byte and no alignment. */
const MAX_SHORT = 127;
/** Bytes of an update record without its old and new row; its padding depends on them. */
const UPDATE_RECORD = 60;

/**
 * Returns the bytes that an average row adds to the WAL record of an update. This is what PostgreSQL logs of
 * an old row, without values stored outside of it (src/backend/access/heap/heapam.c, ExtractReplicaIdentity).
 * A record ends at a multiple of eight bytes, which matters for narrow rows.
 */
export function rowWidth(columns: readonly ColumnWidth[]): number {
  const data = dataOf(columns);
  const width = headWidth(columns.length, nullsIn(columns)) + data.bytes;
  const shift = headWidth(columns.length, 0);
  return data.residues.reduce((total, part, residue) => {
    const row = residue + shift;
    return total + part * (padding(UPDATE_RECORD + 2 * row) - padding(UPDATE_RECORD + row));
  }, width);
}

/** Returns the bytes of a row's key, which is logged as a row with all other columns null. */
export function keyWidth(columns: readonly ColumnWidth[], key: readonly string[]): number {
  const held = columns.filter(({ name, dropped }) => !dropped && key.includes(name));
  return headWidth(columns.length, held.length < columns.length ? 1 : 0) + dataOf(held).bytes;
}

/** Returns the average size of a row's head. Only rows with nulls have a bitmap of them. */
function headWidth(columns: number, withNulls: number): number {
  const bare = align(ROW_HEADER, MAX_ALIGN);
  const mapped = align(ROW_HEADER + Math.ceil(columns / 8), MAX_ALIGN);
  return RECORD_HEADER - ROW_HEADER + bare + withNulls * (mapped - bare);
}

/** Returns the share of rows with at least one null, assuming independent columns. */
function nullsIn(columns: readonly ColumnWidth[]): number {
  const whole = columns.reduce(
    (part, { dropped, nullFraction }) => part * (dropped ? 0 : 1 - nullFraction),
    1,
  );
  return 1 - whole;
}

interface Data {
  /** Average bytes of the values, with the padding between them. */
  readonly bytes: number;
  /** The probability of each end of a row's data modulo eight. */
  readonly residues: readonly number[];
}

function dataOf(columns: readonly ColumnWidth[]): Data {
  let bytes = 0;
  let residues: number[] = RESIDUES.map((residue) => (residue === 0 ? 1 : 0));
  for (const { length, align: alignment, width, nullFraction, dropped } of columns) {
    if (dropped) continue;
    const value = length > 0 ? length : (width ?? 0);
    const aligned = length > 0 || value > MAX_SHORT ? alignment : 1;
    const before = residues;
    residues = before.map((part) => part * nullFraction);
    for (const residue of RESIDUES) {
      const part = before[residue]! * (1 - nullFraction);
      const begins = align(residue, aligned);
      bytes += part * (begins - residue + value);
      // If lengths vary, all ends are equally likely.
      for (const end of length > 0 ? [(begins + value) % MAX_ALIGN] : RESIDUES)
        residues[end] = residues[end]! + part / (length > 0 ? 1 : MAX_ALIGN);
    }
  }
  return { bytes, residues };
}

const RESIDUES = [0, 1, 2, 3, 4, 5, 6, 7] as const;

const align = (offset: number, to: number): number => Math.ceil(offset / to) * to;

const padding = (offset: number): number => align(offset, MAX_ALIGN) - offset;
