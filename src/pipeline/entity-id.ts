import { isText, keyText, looksLikeBytes } from '../pg/text.js';
import type { Tuple } from '../pgoutput/tuple.js';
import { sentIn } from './old-row.js';
import type { EntryRows } from './ports.js';
import type { TrackedPlan } from './relation-plan.js';

/**
 * Longest value in an entity id. If a value is longer, the entry has no entity id, because a shortened one
 * could be the id of another row. PostgreSQL indexes at most 2,704 bytes.
 */
const MAX_ID_BYTES = 8_000;
const BACKSLASH = 0x5c;
const COMMA_BYTE = 0x2c;
const COMMA = Buffer.from(',');

/**
 * Writes entity ids. If an id has one column, it is the column's text. If it has several, their texts are
 * joined by commas, and each comma or backslash in them is preceded by a backslash. Otherwise ('a,b', 'c')
 * and ('a', 'b,c') would be one entity. Ids without commas and backslashes are the same as in earlier
 * releases.
 */
export class IdWriter {
  readonly #rows: EntryRows;

  constructor(rows: EntryRows) {
    this.#rows = rows;
  }

  /**
   * Writes the entity id of a row.
   *
   * @param previous the old row, for parts of the key that are unchanged TOAST; null: there is none
   */
  write(plan: TrackedPlan, row: Tuple, previous: Tuple | null): void {
    const columns = plan.idColumns;
    const rows = this.#rows;
    if (columns.length === 0) return rows.nullText();
    if (columns.length === 1 && this.#usual(plan, row, columns[0]!)) return;
    for (let index = 0; index < columns.length; index++) {
      const column = columns[index]!;
      const holder = sentIn(column, row, previous);
      if (holder === null || !holder.has(column) || holder.lengths[column]! > MAX_ID_BYTES)
        return rows.nullText();
    }
    rows.beginText();
    for (let index = 0; index < columns.length; index++) {
      if (index > 0) rows.raw(COMMA, 0, 1);
      const column = columns[index]!;
      this.#part(plan, sentIn(column, row, previous)!, column);
    }
    rows.endText();
  }

  /**
   * Writes an id of one text column, which is the usual case. Returns false and writes nothing for any other
   * id.
   */
  #usual(plan: TrackedPlan, row: Tuple, column: number): boolean {
    const start = row.offsets[column]!;
    const length = row.lengths[column]!;
    if (!row.has(column) || length > MAX_ID_BYTES || plan.redactors[column] || row.isOpaque(column))
      return false;
    if (looksLikeBytes(row.bytes, start, length)) return false;
    this.#rows.beginText();
    this.#rows.text(row.bytes, start, length);
    this.#rows.endText();
    return true;
  }

  #part(plan: TrackedPlan, row: Tuple, column: number): void {
    const isJoined = plan.idColumns.length > 1;
    const start = row.offsets[column]!;
    const length = row.lengths[column]!;
    const redacted = plan.redactors[column]?.(row.bytes, start, length) ?? null;
    if (redacted !== null) {
      if (isJoined) this.#joined(redacted, 0, redacted.length);
      else this.#rows.text(redacted, 0, redacted.length);
      return;
    }
    if (row.isOpaque(column)) return this.#written(row.text(column)!, isJoined);
    if (isJoined) return this.#joined(row.bytes, start, length);
    if (looksLikeBytes(row.bytes, start, length))
      return this.#written(keyText(row.bytes, start, length), false);
    this.#rows.text(row.bytes, start, length);
  }

  /**
   * Writes a part of a joined id. Most parts have neither a comma nor a backslash, and are copied as they
   * are.
   */
  #joined(bytes: Buffer, start: number, length: number): void {
    let seen = 0;
    for (let at = start, end = start + length; at < end; at++) {
      const byte = bytes[at]!;
      if (byte === COMMA_BYTE || byte === BACKSLASH)
        return this.#written(keyText(bytes, start, length), true);
      // For a zero byte, `byte - 1` has every bit set.
      seen |= byte | (byte - 1);
    }
    if ((seen & ~0x7f) === 0 || isText(bytes, start, length)) this.#rows.text(bytes, start, length);
    else this.#written(keyText(bytes, start, length), true);
  }

  #written(text: string, isJoined: boolean): void {
    const bytes = Buffer.from(isJoined ? text.replace(/[\\,]/g, '\\$&') : text);
    this.#rows.raw(bytes, 0, bytes.length);
  }
}
