import { keyText } from '../../pg/text.js';
import { FIRST_COLUMN } from '../../pipeline/ports.js';
import { decodeField, ESCAPE, SEPARATOR } from '../values.js';
import { columnAt } from './decode.js';
import type { ReaderDictionaries, StoredRelation } from './dictionaries.js';
import type { Scope } from './entry.js';
import { nameAt, readNames, type NameVersion } from './labels.js';
import type { Query } from './plans.js';
import { ROW_TEXT, type RowBytes } from './row-bytes.js';

/** Labels of the values of some rows that are names in `trail.lookup`, each key read once. */
export class LabelNames {
  readonly #byTable = new Map<string, Map<string, readonly NameVersion[]>>();
  readonly #tablesOf = new Map<number, readonly (string | undefined)[] | null>();
  #first: bigint | undefined;
  #last = 0n;

  /** Returns the label that an entry shows for a key; null: it has none. */
  label(table: string, key: string, id: number): string | null {
    const versions = this.#byTable.get(table)?.get(key);
    if (versions === undefined || versions.length === 0) return null;
    const only = versions.length === 1 ? versions[0]! : undefined;
    // The usual case, without a bigint.
    if (only?.from === 0n) return only.name;
    return nameAt(versions, BigInt(id));
  }

  /** Notes the keys of the row that the rows are at. */
  note(rows: RowBytes, { relations }: ReaderDictionaries): void {
    const tables = this.#tables(rows.relationId, relations.get(rows.relationId));
    if (tables === null) return;
    const columns = rows.text(ROW_TEXT.columns);
    const { id, bytes } = rows;
    if (this.#first === undefined || id < this.#first) this.#first = id;
    if (id > this.#last) this.#last = id;
    for (const side of [ROW_TEXT.previous, ROW_TEXT.updated]) {
      let at = rows.startOf(side);
      const end = at + rows.lengthOf(side);
      for (let field = 0; at < end; field++, at++) {
        const start = at;
        while (at < end && bytes[at] !== SEPARATOR) at++;
        const ofColumn = columns === null ? field : columns.charCodeAt(field) - FIRST_COLUMN;
        const table = tables[ofColumn];
        if (table !== undefined) this.#noteKey(table, keyOf(bytes, start, at));
      }
    }
  }

  /** Reads the names of all keys that were noted, as a reader of the scope sees them. */
  async read(query: Query, scope: Scope): Promise<void> {
    const keys = Array.from(this.#byTable, ([table, ofTable]) =>
      Array.from(ofTable.keys(), (key) => ({ table, key })),
    ).flat();
    const versions = await readNames(query, { keys, first: this.#first ?? 0n, last: this.#last, scope });
    keys.forEach(({ table, key }, index) => this.#byTable.get(table)!.set(key, versions[index]!));
  }

  /** Lookup tables by column; null: no column has one. */
  #tables(id: number, relation: StoredRelation | undefined): readonly (string | undefined)[] | null {
    let tables = this.#tablesOf.get(id);
    if (tables === undefined) {
      const all = relation?.columns.map((_, index) => columnAt(relation, index).label) ?? [];
      tables = all.some((table) => table !== undefined) ? all : null;
      this.#tablesOf.set(id, tables);
    }
    return tables;
  }

  #noteKey(table: string, key: string | null): void {
    if (key === null) return;
    let ofTable = this.#byTable.get(table);
    if (ofTable === undefined)
      this.#byTable.set(table, (ofTable = new Map<string, readonly NameVersion[]>()));
    if (!ofTable.has(key)) ofTable.set(key, NO_NAMES);
  }
}

const NO_NAMES: readonly NameVersion[] = [];

/** Returns the key in `trail.lookup` that a stored field stands for; null: it is null or not known. */
export function keyOf(bytes: Buffer, start: number, end: number): string | null {
  for (let at = start; at < end; at++) {
    if (bytes[at] !== ESCAPE) continue;
    const field = decodeField(bytes.toString('utf8', start, end));
    if (field.is !== 'text' && field.is !== 'bytes') return null;
    const raw = Buffer.from(field.text, field.is === 'text' ? 'utf8' : 'hex');
    return keyText(raw, 0, raw.length);
  }
  return keyText(bytes, start, end - start);
}
