import { FIRST_COLUMN, MARK_NULL, MARK_UNKNOWN } from '../../pipeline/ports.js';
import { decodeField, ESCAPE, MARK_LARGE, SEPARATOR } from '../values.js';
import { ByteTable } from './byte-table.js';
import { columnAt, decodeValue, labelled, UNKNOWN_RELATION } from './decode.js';
import type { StoredColumn } from './dictionaries.js';
import type { Value } from './entry.js';
import type { StoredRows } from './row-batch.js';
import { ROW_TEXT, type RowBytes } from './row-bytes.js';
import { hasPartLookups, PartedValue } from './value-parts.js';

/** Kind of a stored field. `marked`: a value that is stored in another form than its text. */
export type FieldKind = 'text' | 'marked' | 'null' | 'unknown' | 'large';

/** Data that a reader of fields keeps for each column, with the column itself. */
export interface ColumnNotes<Notes> {
  readonly column: StoredColumn;
  readonly notes: Notes;
}

/** A set of columns that occurs in rows. */
interface ColumnSet<Notes> {
  /** Characters that name the columns; null: all columns of the table version. */
  readonly columns: string | null;
  /** Notes by field. They are created when the field first occurs. */
  readonly notes: (ColumnNotes<Notes> | undefined)[];
}

/** Sets of columns of a table version, by the bytes that name them. */
interface Sets<Notes> {
  readonly all: ColumnSet<Notes>;
  readonly names: ByteTable;
  readonly named: ColumnSet<Notes>[];
}

/** Largest number of sets of columns for which notes are kept. A trail usually has few. */
const MOST_SETS = 2_000;

/**
 * Iterates over the fields of `previous` or `updated` of a stored row, as offsets in its bytes. Notes are
 * created once for each column of each set of columns.
 */
export class StoredFields<Notes> {
  readonly #make: (column: StoredColumn) => Notes;
  readonly #sets = new Map<number, Sets<Notes>>();
  #count = 0;
  #batch!: StoredRows;
  #bytes!: Buffer;
  #set!: ColumnSet<Notes>;
  /** Id of the row to which {@link #set} belongs. */
  #setRow = -1;
  #next = 0;
  #end = 0;
  /** Index of the current field on its side. */
  index = -1;
  kind: FieldKind = 'text';
  /** Offsets of the current field in the bytes of the rows. */
  start = 0;
  end = 0;

  constructor(make: (column: StoredColumn) => Notes) {
    this.#make = make;
  }

  /** Begins with a side of the batch's current row. Returns false if the side is null. */
  begin(batch: StoredRows, side: 'previous' | 'updated'): boolean {
    const { rows } = batch;
    const length = rows.lengthOf(ROW_TEXT[side]);
    if (length < 0) return false;
    this.#batch = batch;
    this.#bytes = rows.bytes;
    const row = rows.idNumber;
    if (row !== this.#setRow) {
      // Both sides of a row have the same columns.
      this.#set = this.#setOf(rows);
      this.#setRow = row;
    }
    this.#next = rows.startOf(ROW_TEXT[side]);
    this.#end = this.#next + length;
    this.index = -1;
    return true;
  }

  /** Goes to the next field. Returns false if there is none. */
  next(): boolean {
    const bytes = this.#bytes;
    const start = this.#next;
    let at = start;
    let isMarked = false;
    for (; at < this.#end; at++) {
      const byte = bytes[at]!;
      if (byte === SEPARATOR) break;
      if (byte === ESCAPE) isMarked = true;
    }
    if (at >= this.#end) return false;
    this.start = start;
    this.end = at;
    this.#next = at + 1;
    this.index++;
    this.kind = isMarked ? this.#kindOfMarked() : 'text';
    return true;
  }

  get bytes(): Buffer {
    return this.#bytes;
  }

  get column(): ColumnNotes<Notes> {
    return this.columnAt(this.index);
  }

  /** Returns the column of a field. Both sides have the same columns. */
  columnAt(index: number): ColumnNotes<Notes> {
    const { columns, notes } = this.#set;
    const known = notes[index];
    if (known !== undefined) return known;
    const relation = this.#batch.dictionaries.relations.get(this.#batch.rows.relationId) ?? UNKNOWN_RELATION;
    const place =
      columns === null || index >= columns.length ? index : columns.charCodeAt(index) - FIRST_COLUMN;
    const column = columnAt(relation, place);
    return (notes[index] = { column, notes: this.#make(column) });
  }

  /** Id of the row that contains the fields. */
  get rowId(): number {
    return this.#batch.rows.idNumber;
  }

  /** The stored text of the current field. */
  get text(): string {
    return this.#bytes.toString('utf8', this.start, this.end);
  }

  /** Length and digest of a value that was too large. */
  get large(): { readonly bytes: number; readonly sha256: string } {
    const field = decodeField(this.text);
    if (field.is !== 'large') throw new TypeError('the field does not hold a value that was too large');
    return { bytes: field.bytes, sha256: field.sha256 };
  }

  /**
   * The name in `trail.lookup` for the value, or the names for its parts, as of its row; null: there is none.
   */
  get lookupName(): string | null {
    const { column } = this.column;
    if (hasPartLookups(column)) return this.value.label ?? null;
    return column.label === undefined ? null : this.#batch.names.labelOf(column.label, this);
  }

  /** The value of a known field, with its label. */
  get value(): Value {
    const field = decodeField(this.text);
    if (field.is === 'unknown' || field.is === 'large') throw new TypeError('the value is not known');
    const { column } = this.column;
    const value = decodeValue(field, column);
    if (value instanceof PartedValue)
      for (const part of value.parts) {
        const { lookup } = part;
        if (lookup !== null) part.word = this.#batch.names.label(lookup.table, lookup.key, this.rowId);
      }
    if (hasPartLookups(column) || column.label === undefined) return value;
    const label = this.#batch.names.labelOf(column.label, this);
    return label === null ? value : labelled(value, label);
  }

  #kindOfMarked(): FieldKind {
    if (this.#bytes[this.start] !== ESCAPE) return 'marked';
    const isWhole = this.end - this.start === 2;
    switch (this.#bytes[this.start + 1]) {
      case MARK_NULL:
        return isWhole ? 'null' : 'marked';
      case MARK_UNKNOWN:
        return isWhole ? 'unknown' : 'marked';
      case MARK_LARGE:
        return 'large';
      default:
        return 'marked';
    }
  }

  #setOf(rows: RowBytes): ColumnSet<Notes> {
    const relation = rows.relationId;
    let sets = this.#sets.get(relation) ?? this.#addSets(relation);
    const length = rows.lengthOf(ROW_TEXT.columns);
    if (length < 0) return sets.all;
    const start = rows.startOf(ROW_TEXT.columns);
    let number = sets.names.find(rows.bytes, start, start + length);
    if (number < 0) {
      if (++this.#count > MOST_SETS) {
        this.#sets.clear();
        this.#count = 1;
        sets = this.#addSets(relation);
      }
      number = sets.names.add(rows.bytes, start, start + length);
      sets.named.push({ columns: rows.text(ROW_TEXT.columns), notes: [] });
    }
    return sets.named[number]!;
  }

  #addSets(relation: number): Sets<Notes> {
    const sets: Sets<Notes> = { all: { columns: null, notes: [] }, names: new ByteTable(), named: [] };
    this.#sets.set(relation, sets);
    return sets;
  }
}
