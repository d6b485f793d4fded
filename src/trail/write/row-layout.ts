/** Columns of `copy trail.entry … (format binary)`, in the order of `EntryRowBuffer`. */
export const ENTRY_COLUMNS = [
  'id', 'committed_at', 'commit_lsn', 'seq', 'xid', 'modifier_id', 'relation_id', 'tenant_id', 'entity_type_id',
  'action_id', 'operation', 'rung', 'previous_tenant_id', 'previous_entity_id', 'previous_entity_name', 'entity_id',
  'entity_name', 'columns', 'previous', 'updated', 'extra',
] as const; // prettier-ignore

// Offsets in a row of binary COPY. A row is a field count, then for each field its length (4 bytes) and its
// bytes.
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
/** Offset of the length of the first nullable field. */
export const AT_PREVIOUS_TENANT = 100;
/** Bytes before the entity id in an entry that did not move: its three `previous` fields are null. */
export const HEAD_BYTES = AT_PREVIOUS_TENANT + 3 * 4;
/** Length that stands for a null field. */
export const NULL_FIELD = -1;

/** Numbers of nullable fields. */
const PREVIOUS_ENTITY_ID = 1;
const ENTITY_ID = 3;
const EXTRA = 8;
const NULLABLE_FIELDS = 9;

/** Offsets of one row in a buffer. */
export interface Row {
  readonly start: number;
  readonly extraAt: number;
  readonly end: number;
}

/** Returns the rows between two offsets of a buffer. */
export function rowsBetween(view: DataView, start: number, end: number): Row[] {
  const rows: Row[] = [];
  for (let at = start, next: number; at < end; at = next) {
    next = rowEnd(view, at);
    rows.push({ start: at, extraAt: fieldAt(view, at, EXTRA), end: next });
  }
  return rows;
}

/** Returns the offset at which the row that begins at `at` ends. */
export const rowEnd = (view: DataView, at: number): number => fieldAt(view, at, NULLABLE_FIELDS);

/** Returns the offset of the entity id in the row that begins at `at`. */
export const entityIdAt = (view: DataView, at: number): number => fieldAt(view, at, ENTITY_ID);

/** Returns the offset of the previous entity id in the row that begins at `at`. */
export const previousEntityIdAt = (view: DataView, at: number): number =>
  fieldAt(view, at, PREVIOUS_ENTITY_ID);

/** Returns the offset of a nullable field, numbered from 0, in the row that begins at `at`. */
function fieldAt(view: DataView, at: number, number: number): number {
  let place = at + AT_PREVIOUS_TENANT;
  for (let field = 0; field < number; field++) place += 4 + Math.max(0, view.getInt32(place));
  return place;
}
