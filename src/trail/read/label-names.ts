import { keyText } from '../../pg/text.js';
import { FIRST_COLUMN } from '../../pipeline/ports.js';
import { decodeField, ESCAPE, escaped, SEPARATOR } from '../values.js';
import { ByteTable } from './byte-table.js';
import { columnAt } from './decode.js';
import type { ReaderDictionaries, StoredColumn, StoredRelation } from './dictionaries.js';
import type { Scope } from './entry.js';
import { nameAt, readNames, type NameVersion } from './labels.js';
import type { Query } from './plans.js';
import { ROW_TEXT, type RowBytes } from './row-bytes.js';
import { hasPartLookups, MAX_PARTED_BYTES, partsOf } from './value-parts.js';

/** Labels of some rows' values that are names in `trail.lookup`. Each key is read once. */
export class LabelNames {
  readonly #byTable = new Map<string, TableNames>();
  readonly #columns = new Map<number, LabelledColumns | null>();
  readonly #id = { first: Infinity, last: 0 };

  /** Returns the label that an entry shows for a stored field, or null. */
  labelOf(table: string, field: Place & { readonly rowId: number }): string | null {
    return this.#byTable.get(table)?.labelOf(field) ?? null;
  }

  /** Returns the label that an entry shows for a key, or null. */
  label(table: string, key: string, id: number): string | null {
    return this.#byTable.get(table)?.label(key, id) ?? null;
  }

  /** Collects the keys of the current row of `rows`. */
  note(rows: RowBytes, { relations }: ReaderDictionaries): void {
    const labelled = this.#labelled(rows.relationId, relations.get(rows.relationId));
    if (labelled === null) return;
    const tables = labelled.of(rows);
    const { bytes, idNumber: id } = rows;
    if (id < this.#id.first) this.#id.first = id;
    if (id > this.#id.last) this.#id.last = id;
    for (const side of SIDES) {
      let at = rows.startOf(side);
      const end = at + rows.lengthOf(side);
      for (let field = 0; at < end && field < tables.length; field++, at++) {
        const start = at;
        while (at < end && bytes[at] !== SEPARATOR) at++;
        tables[field]?.note(bytes, start, at);
      }
    }
  }

  /** Reads the names of all collected keys, as a reader in the scope sees them. */
  async read(query: Query, scope: Scope): Promise<void> {
    const tables = [...this.#byTable];
    const keys = tables.flatMap(([table, { keys: ofTable }]) => ofTable.map((key) => ({ table, key })));
    const { first, last } = this.#id;
    const versions = await readNames(query, {
      keys,
      first: keys.length === 0 ? 0n : BigInt(first),
      last: BigInt(last),
      scope,
    });
    let from = 0;
    for (const [, names] of tables) {
      names.found(versions.slice(from, from + names.keys.length));
      from += names.keys.length;
    }
  }

  /** Returns the columns of a table version that have labels, or null. */
  #labelled(id: number, relation: StoredRelation | undefined): LabelledColumns | null {
    let columns = this.#columns.get(id);
    if (columns === undefined) {
      const noted = relation?.columns.map((_, index) => this.#notedOf(columnAt(relation, index))) ?? [];
      columns = noted.every((one) => one === undefined) ? null : new LabelledColumns(noted);
      this.#columns.set(id, columns);
    }
    return columns;
  }

  #notedOf(column: StoredColumn): Noted | undefined {
    if (hasPartLookups(column)) return new PartNames(column, (table) => this.#names(table));
    return column.label === undefined ? undefined : this.#names(column.label);
  }

  #names(table: string): TableNames {
    let names = this.#byTable.get(table);
    if (names === undefined) this.#byTable.set(table, (names = new TableNames()));
    return names;
  }
}

/** Position of a stored field. */
interface Place {
  readonly bytes: Buffer;
  readonly start: number;
  readonly end: number;
}

const SIDES = [ROW_TEXT.previous, ROW_TEXT.updated] as const;
const NO_NAMES: readonly NameVersion[] = [];

/** Collects the keys of a stored field. */
interface Noted {
  note(bytes: Buffer, start: number, end: number): void;
}

/** Lookup tables by field, for each set of columns in rows of a table version. */
class LabelledColumns {
  /** Lookup tables by column; undefined: the column has no labels. */
  readonly #tables: readonly (Noted | undefined)[];
  readonly #all: readonly (Noted | undefined)[];
  readonly #sets = new ByteTable();
  readonly #ofSets: (readonly (Noted | undefined)[])[] = [];

  constructor(tables: readonly (Noted | undefined)[]) {
    this.#tables = tables;
    this.#all = upToLast(tables);
  }

  /** Returns the lookup tables of a row's fields, up to the last field that has one. */
  of(rows: RowBytes): readonly (Noted | undefined)[] {
    const length = rows.lengthOf(ROW_TEXT.columns);
    if (length < 0) return this.#all;
    const start = rows.startOf(ROW_TEXT.columns);
    const number = this.#sets.add(rows.bytes, start, start + length);
    return (this.#ofSets[number] ??= upToLast(
      Array.from(
        rows.text(ROW_TEXT.columns)!,
        (character) => this.#tables[character.charCodeAt(0) - FIRST_COLUMN],
      ),
    ));
  }
}

const upToLast = (tables: readonly (Noted | undefined)[]): readonly (Noted | undefined)[] =>
  tables.slice(0, tables.findLastIndex((table) => table !== undefined) + 1);

/** Collects the keys in the parts of a column's values. */
class PartNames implements Noted {
  readonly #column: StoredColumn;
  readonly #names: (table: string) => TableNames;

  constructor(column: StoredColumn, names: (table: string) => TableNames) {
    this.#column = column;
    this.#names = names;
  }

  note(bytes: Buffer, start: number, end: number): void {
    // Any longer field has more than MAX_CHARACTERS characters, and then no parts.
    if (end - start > MAX_PARTED_BYTES) return;
    const field = decodeField(bytes.toString('utf8', start, end));
    if (field.is !== 'text') return;
    for (const { lookup } of partsOf(this.#column, field.text) ?? [])
      if (lookup !== null) this.#names(lookup.table).noteKey(lookup.key);
  }
}

/** Names of one lookup table, found by the bytes of stored fields or by their keys. */
class TableNames {
  readonly #fields = new ByteTable();
  /** Key by number of the field; null: the field has none. Different fields may have the same key. */
  readonly #keys: (string | null)[] = [];
  #versions: readonly (readonly NameVersion[])[] = [];
  #byKey: Map<string, readonly NameVersion[]> | undefined;

  note(bytes: Buffer, start: number, end: number): void {
    const number = this.#fields.add(bytes, start, end);
    if (number === this.#keys.length) this.#keys.push(keyOf(bytes, start, end));
  }

  noteKey(key: string): void {
    const field = Buffer.from(escaped(key));
    const number = this.#fields.add(field, 0, field.length);
    if (number === this.#keys.length) this.#keys.push(key);
  }

  get keys(): readonly string[] {
    return this.#keys.filter((key) => key !== null);
  }

  /** Stores the names of {@link keys}, in the same order. */
  found(versions: readonly (readonly NameVersion[])[]): void {
    let next = 0;
    this.#versions = this.#keys.map((key) => (key === null ? NO_NAMES : versions[next++]!));
  }

  labelOf({ bytes, start, end, rowId }: Place & { readonly rowId: number }): string | null {
    const number = this.#fields.find(bytes, start, end);
    return number < 0 ? null : nameOf(this.#versions[number]!, rowId);
  }

  label(key: string, id: number): string | null {
    this.#byKey ??= new Map(
      this.#keys.flatMap((known, at) => (known === null ? [] : [[known, this.#versions[at]!]])),
    );
    return nameOf(this.#byKey.get(key) ?? NO_NAMES, id);
  }
}

function nameOf(versions: readonly NameVersion[], id: number): string | null {
  // The usual case, which needs no bigint.
  if (versions.length === 1 && versions[0]!.from === 0n) return versions[0]!.name;
  return versions.length === 0 ? null : nameAt(versions, BigInt(id));
}

/** Returns the key in `trail.lookup` for a stored field; null: the field is null or unknown. */
function keyOf(bytes: Buffer, start: number, end: number): string | null {
  for (let at = start; at < end; at++) {
    if (bytes[at] !== ESCAPE) continue;
    const field = decodeField(bytes.toString('utf8', start, end));
    if (field.is !== 'text' && field.is !== 'bytes') return null;
    const raw = Buffer.from(field.text, field.is === 'text' ? 'utf8' : 'hex');
    return keyText(raw, 0, raw.length);
  }
  return keyText(bytes, start, end - start);
}
