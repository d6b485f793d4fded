import { viewOf } from '../../pg/byte-loops.js';
import type { OperationLetter, RungLetter } from '../../pipeline/ports.js';
import type { EntryRow } from './entry-row.js';

/**
 * Select list over `entry e`, which {@link RowBytes} reads as binary COPY. Columns that are never null come
 * first, so their offsets are fixed. The query adds the total stored bytes of values, and the values, after
 * this list.
 */
export const ROW_COLUMNS = /* sql */ `e.id, e.committed_at, e.commit_lsn, e.seq, e.xid, e.modifier_id, e.relation_id, e.tenant_id,
    e.entity_type_id, e.action_id, e.operation, e.rung, e.previous_tenant_id, e.previous_entity_id, e.previous_entity_name,
    e.entity_id, e.entity_name, e.columns, e.extra`;

/** Bytes of the number of fields, and of the length before each field. */
const COUNT_BYTES = 2;
const LENGTH_BYTES = 4;
const AT_ID = COUNT_BYTES + LENGTH_BYTES;
const AT_COMMITTED = AT_ID + 8 + LENGTH_BYTES;
const AT_LSN = AT_COMMITTED + 8 + LENGTH_BYTES;
const AT_SEQ = AT_LSN + 8 + LENGTH_BYTES;
const AT_XID = AT_SEQ + 4 + LENGTH_BYTES;
const AT_MODIFIER = AT_XID + 4 + LENGTH_BYTES;
const AT_RELATION = AT_MODIFIER + 4 + LENGTH_BYTES;
const AT_TENANT = AT_RELATION + 4 + LENGTH_BYTES;
const AT_ENTITY_TYPE = AT_TENANT + 4 + LENGTH_BYTES;
const AT_ACTION = AT_ENTITY_TYPE + 2 + LENGTH_BYTES;
const AT_OPERATION = AT_ACTION + 2 + LENGTH_BYTES;
const AT_RUNG = AT_OPERATION + 1 + LENGTH_BYTES;
const AT_NULLABLE = AT_RUNG + 1;
/** Numbers of the fields that may be null, from the first of them on. */
const PREVIOUS_TENANT = 0;
const PREVIOUS_ENTITY_ID = 1;
const PREVIOUS_ENTITY_NAME = 2;
const ENTITY_ID = 3;
const ENTITY_NAME = 4;
const COLUMNS = 5;
const EXTRA = 6;
const BYTES = 7;
const PREVIOUS = 8;
const UPDATED = 9;
const NULLABLE_FIELDS = 10;
const NULL = -1;

const FIRST_BYTES = 1 << 20;
const MOST_KEPT_BYTES = 1 << 25;
const FIRST_ROWS = 1 << 14;
const TWO_32 = 2 ** 32;
const MICROS_1970_TO_2000 = 946_684_800_000_000;

/** Texts of a row that may be null. */
export type RowText =
  typeof ENTITY_ID | typeof ENTITY_NAME | typeof COLUMNS | typeof EXTRA | typeof PREVIOUS | typeof UPDATED;
export const ROW_TEXT = {
  entityId: ENTITY_ID,
  entityName: ENTITY_NAME,
  columns: COLUMNS,
  extra: EXTRA,
  previous: PREVIOUS,
  updated: UPDATED,
} as const;

/**
 * Rows of `trail.entry` as the bytes that the server sent, one after the other. {@link goTo} chooses the
 * current row, which all other members refer to. An object for each row or value would cost more than writing
 * the row to a file.
 */
export class RowBytes {
  #bytes = Buffer.allocUnsafe(FIRST_BYTES);
  #view = viewOf(this.#bytes);
  #length = 0;
  #starts = new Int32Array(FIRST_ROWS);
  #count = 0;
  #start = 0;
  /** Offsets and lengths of the nullable fields. Length -1 means null. */
  readonly #at = new Int32Array(NULLABLE_FIELDS);
  readonly #lengths = new Int32Array(NULLABLE_FIELDS);

  /** Adds a copy of the row that begins at `at` in a message. */
  add(message: Buffer, at: number): void {
    const length = message.length - at;
    if (this.#length + length > this.#bytes.length) this.#grow(length);
    message.copy(this.#bytes, this.#length, at);
    if (this.#count === this.#starts.length) this.#growStarts();
    this.#starts[this.#count++] = this.#length;
    this.#length += length;
  }

  /** Removes all rows. Keeps the memory, unless a row was very large. */
  clear(): void {
    this.#length = 0;
    this.#count = 0;
    if (this.#bytes.length <= MOST_KEPT_BYTES) return;
    this.#bytes = Buffer.allocUnsafe(FIRST_BYTES);
    this.#view = viewOf(this.#bytes);
  }

  /** Removes the last row. */
  dropLast(): void {
    this.#length = this.#starts[--this.#count]!;
  }

  get count(): number {
    return this.#count;
  }

  /** The buffer that contains the texts. */
  get bytes(): Buffer {
    return this.#bytes;
  }

  goTo(index: number): void {
    this.#start = this.#starts[index]!;
    let at = this.#start + AT_NULLABLE;
    for (let field = 0; field < NULLABLE_FIELDS; field++) {
      const length = this.#view.getInt32(at);
      at += LENGTH_BYTES;
      this.#at[field] = at;
      this.#lengths[field] = length;
      if (length > 0) at += length;
    }
  }

  get id(): bigint {
    return this.#view.getBigInt64(this.#start + AT_ID);
  }

  /** The id as a JavaScript number. It is exact, because an id has 45 bits. */
  get idNumber(): number {
    return this.#int8(AT_ID);
  }

  /** Microseconds since 1970. The number is exact within 253 years of 1970. */
  get committedMicros(): number {
    return this.#int8(AT_COMMITTED) + MICROS_1970_TO_2000;
  }

  get lsnHigh(): number {
    return this.#view.getUint32(this.#start + AT_LSN);
  }
  get lsnLow(): number {
    return this.#view.getUint32(this.#start + AT_LSN + 4);
  }
  get seq(): number {
    return this.#view.getInt32(this.#start + AT_SEQ);
  }
  get xid(): number {
    return this.#view.getUint32(this.#start + AT_XID);
  }
  get modifierId(): number {
    return this.#view.getInt32(this.#start + AT_MODIFIER);
  }
  get relationId(): number {
    return this.#view.getInt32(this.#start + AT_RELATION);
  }
  get tenantId(): number {
    return this.#view.getInt32(this.#start + AT_TENANT);
  }
  get entityTypeId(): number {
    return this.#view.getInt16(this.#start + AT_ENTITY_TYPE);
  }
  get actionId(): number {
    return this.#view.getInt16(this.#start + AT_ACTION);
  }
  get operation(): number {
    return this.#bytes[this.#start + AT_OPERATION]!;
  }
  get rung(): number {
    return this.#bytes[this.#start + AT_RUNG]!;
  }

  /** Null: the tenant did not change, or is not known; 0: no tenant. */
  get previousTenantId(): number | null {
    return this.#lengths[PREVIOUS_TENANT] === NULL ? null : this.#view.getInt32(this.#at[PREVIOUS_TENANT]!);
  }

  /** Whether the row moved, or its entity had another id before the change. */
  get hasMoved(): boolean {
    return (
      this.#lengths[PREVIOUS_TENANT] !== NULL ||
      this.#lengths[PREVIOUS_ENTITY_ID] !== NULL ||
      this.#lengths[PREVIOUS_ENTITY_NAME] !== NULL
    );
  }

  /** Total stored bytes of all values up to this row. */
  get valueBytes(): number {
    return Number(this.#view.getBigInt64(this.#at[BYTES]!));
  }

  /** Returns the offset of a text in {@link bytes}. */
  startOf(text: RowText): number {
    return this.#at[text]!;
  }

  /** Returns the length of a text in bytes; -1: null. */
  lengthOf(text: RowText): number {
    return this.#lengths[text]!;
  }

  text(text: RowText): string | null {
    return this.#text(text);
  }

  /** Returns the row in the form for `decode.ts`, with the given text as the commit time. */
  row(committedAt: string): EntryRow {
    return {
      id: this.id.toString(),
      committed_at: committedAt,
      commit_lsn: lsnText(this.lsnHigh, this.lsnLow),
      seq: this.seq,
      xid: String(this.xid),
      modifier_id: this.modifierId,
      relation_id: this.relationId,
      tenant_id: this.tenantId,
      previous_tenant_id: this.previousTenantId,
      entity_type_id: this.entityTypeId,
      action_id: this.actionId,
      operation: String.fromCharCode(this.operation) as OperationLetter,
      rung: String.fromCharCode(this.rung) as RungLetter,
      entity_id: this.#text(ENTITY_ID),
      entity_name: this.#text(ENTITY_NAME),
      previous_entity_id: this.#text(PREVIOUS_ENTITY_ID),
      previous_entity_name: this.#text(PREVIOUS_ENTITY_NAME),
      columns: this.#text(COLUMNS),
      previous: this.#text(PREVIOUS),
      updated: this.#text(UPDATED),
      extra: this.#text(EXTRA),
    };
  }

  #text(field: number): string | null {
    const length = this.#lengths[field]!;
    const at = this.#at[field]!;
    return length === NULL ? null : this.#bytes.toString('utf8', at, at + length);
  }

  #int8(at: number): number {
    return this.#view.getInt32(this.#start + at) * TWO_32 + this.#view.getUint32(this.#start + at + 4);
  }

  #growStarts(): void {
    const more = new Int32Array(2 * this.#starts.length);
    more.set(this.#starts);
    this.#starts = more;
  }

  #grow(length: number): void {
    const larger = Buffer.allocUnsafe(Math.max(2 * this.#bytes.length, this.#length + length));
    this.#bytes.copy(larger, 0, 0, this.#length);
    this.#bytes = larger;
    this.#view = viewOf(larger);
  }
}

/** Returns an LSN as PostgreSQL prints it, from its two halves. */
export const lsnText = (high: number, low: number): string =>
  `${high.toString(16).toUpperCase()}/${low.toString(16).toUpperCase()}`;

/**
 * Returns a time as ISO 8601 in UTC, the format of entries. `micros` counts from 1970 and must be in the
 * years 1 to 9999.
 */
export function instantText(micros: number): string {
  const ms = Math.floor(micros / 1000);
  const rest = micros - ms * 1000;
  return `${new Date(ms).toISOString().slice(0, -1)}${String(rest).padStart(3, '0')}Z`;
}
