/** Columns of `copy trail.entry … (format binary)`, in the order in which `EntryRowBuffer` writes them. */
export const ENTRY_COLUMNS = [
  'id', 'committed_at', 'commit_lsn', 'seq', 'xid', 'modifier_id', 'relation_id', 'tenant_id', 'entity_type_id',
  'action_id', 'operation', 'rung', 'entity_id', 'entity_name', 'columns', 'previous', 'updated', 'extra',
] as const; // prettier-ignore

// Offsets in a row of binary COPY: a field count, then for each field its length (4 bytes) and its bytes.
export const AT_DAY = 6;
export const AT_NUMBER = 10;
export const AT_COMMITTED_AT = 18;
export const AT_COMMIT_LSN = 30;
export const AT_SEQ = 42;
export const AT_XID = 50;
export const AT_MODIFIER = 58;
export const AT_RELATION = 66;
export const AT_TENANT = 74;
export const AT_ENTITY_TYPE = 82;
export const AT_ACTION = 88;
export const AT_OPERATION = 94;
export const AT_RUNG = 99;
export const HEAD_BYTES = 100;
/** Offset of the first text, which begins with its length. */
export const AT_ENTITY_ID = HEAD_BYTES;
const TEXTS = 6;

/** Offsets of one row in a buffer. */
export interface Row {
  readonly start: number;
  readonly lastTextAt: number;
  readonly end: number;
}

/** Returns the rows between two offsets of a buffer. */
export function rowsBetween(view: DataView, start: number, end: number): Row[] {
  const rows: Row[] = [];
  for (let at = start, next: number; at < end; at = next) {
    next = rowEnd(view, at);
    rows.push({ start: at, lastTextAt: textAt(view, at, TEXTS - 1), end: next });
  }
  return rows;
}

/** Returns the offset at which the row that begins at `at` ends. */
export const rowEnd = (view: DataView, at: number): number => textAt(view, at, TEXTS);

/** Returns the offset of the text with a number (from 0) in the row that begins at `at`. */
function textAt(view: DataView, at: number, number: number): number {
  let place = at + HEAD_BYTES;
  for (let text = 0; text < number; text++) place += 4 + Math.max(0, view.getInt32(place));
  return place;
}

/**
 * Makes the head of a row, with the field count and the lengths of the fixed fields. Their values are filled
 * in for each row.
 */
export function makeHead(): DataView {
  const head = new DataView(new ArrayBuffer(HEAD_BYTES));
  head.setInt16(0, ENTRY_COLUMNS.length);
  const lengths = [8, 8, 8, 4, 4, 4, 4, 4, 2, 2, 1, 1];
  let at = 2;
  for (const length of lengths) {
    head.setInt32(at, length);
    at += 4 + length;
  }
  return head;
}
