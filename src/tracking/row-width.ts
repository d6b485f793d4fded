/** What is known of the values of a column. */
export interface ColumnWidth {
  readonly name: string;
  /** As pg_attribute.attlen: bytes of every value, or negative where they differ. */
  readonly length: number;
  /** 1, 2, 4 or 8: a value begins at a multiple of it. */
  readonly align: number;
  readonly dropped: boolean;
  /** Average bytes of a value in the row, as ANALYZE found them; null: it has not, or they are not shown. */
  readonly width: number | null;
  readonly nullFraction: number;
}

const ROW_HEADER = 23;
/** What a WAL record has instead of the row's header (xl_heap_header). */
const RECORD_HEADER = 5;
const MAX_ALIGN = 8;
/** Shorter values of a variable length have a header of one byte and begin anywhere. */
const MAX_SHORT = 127;
/** A record of an update, beside the row before and the row after; its padding depends on it. */
const UPDATE_RECORD = 60;

/**
 * Bytes that an average row adds to the WAL record of an update: what PostgreSQL logs of an old row, without
 * values that lie outside of it (src/backend/access/heap/heapam.c, ExtractReplicaIdentity). A record ends at
 * a multiple of eight, which counts where rows are narrow.
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

/** Bytes of the key of a row, which is logged as a row whose other columns are null. */
export function keyWidth(columns: readonly ColumnWidth[], key: readonly string[]): number {
  const held = columns.filter(({ name, dropped }) => !dropped && key.includes(name));
  return headWidth(columns.length, held.length < columns.length ? 1 : 0) + dataOf(held).bytes;
}

/** The head of a row, of which a part has a bitmap of its nulls. */
function headWidth(columns: number, withNulls: number): number {
  const bare = align(ROW_HEADER, MAX_ALIGN);
  const mapped = align(ROW_HEADER + Math.ceil(columns / 8), MAX_ALIGN);
  return RECORD_HEADER - ROW_HEADER + bare + withNulls * (mapped - bare);
}

/** The part of rows that have at least one null, as if columns did not depend on each other. */
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
  /** How likely it is that a row's data ends at each place between two multiples of eight. */
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
      // Lengths that differ leave no place more likely than another.
      for (const end of length > 0 ? [(begins + value) % MAX_ALIGN] : RESIDUES)
        residues[end] = residues[end]! + part / (length > 0 ? 1 : MAX_ALIGN);
    }
  }
  return { bytes, residues };
}

const RESIDUES = [0, 1, 2, 3, 4, 5, 6, 7] as const;

const align = (offset: number, to: number): number => Math.ceil(offset / to) * to;

const padding = (offset: number): number => align(offset, MAX_ALIGN) - offset;
