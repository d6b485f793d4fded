import { lookedUp } from '../tracking/lookups.js';
import { formatTable, type TableName } from '../tracking/names.js';
import type { Dictionary, Lookups, RedactedColumn, RelationVersion } from '../pipeline/ports.js';

/** Numbers words in memory, as the trail's dictionary does, and returns the word of a number. */
export class Words implements Dictionary {
  readonly #words: string[] = [''];
  readonly #versions = new Map<number, RelationVersion>();
  /** Newest version of each table, in the order in which the trail has first seen them. */
  readonly #seen = new Map<string, RelationVersion>();

  /** @param versions of tables that the trail knows, oldest first */
  constructor(versions: readonly RelationVersion[]) {
    for (const version of versions) this.#seen.set(formatTable(version), version);
  }

  /** Returns the word with a number. */
  word(id: number): string {
    return this.#words[id]!;
  }

  modifier({ key }: { readonly key: string }): number {
    return this.#number(key);
  }

  action(name: string): number {
    return this.#number(name);
  }

  entityType(name: string): number {
    return this.#number(name);
  }

  tenant(name: string): number {
    return this.#number(name);
  }

  relation(version: RelationVersion): number {
    const id = this.#number(formatTable(version));
    this.#versions.set(id, version);
    return id;
  }

  relationOfType(version: RelationVersion): number {
    return this.#number(formatTable(version));
  }

  /** The version of a table that was numbered last. */
  version(id: number): RelationVersion {
    return this.#versions.get(id)!;
  }

  seenTables(): Iterable<TableName> {
    return this.#seen.values();
  }

  newestRelation(table: TableName): RelationVersion | undefined {
    return this.#seen.get(formatTable(table));
  }

  redactedColumns(relationOid: number): ReadonlyMap<number, RedactedColumn> {
    const redacted = [...this.#seen.values()]
      .flatMap(({ columns }) => columns.flatMap((column) => column.redacted ?? []))
      .filter(({ oid }) => oid === relationOid);
    return new Map(redacted.map((column) => [column.number, column]));
  }

  #number(word: string): number {
    const known = this.#words.indexOf(word);
    return known > 0 ? known : this.#words.push(word) - 1;
  }
}

/** Replaces the names of lookup tables, whose rows are not read: states where each name would be found. */
export const NAMES_UNREAD: Lookups = {
  get: (lookup) => {
    const { table, column } = lookedUp(lookup);
    return { name: `(its ${column ?? 'name'} in ${table})`, kind: null, tenant: null };
  },
  hasTenants: () => false,
  set: () => undefined,
  clear: () => undefined,
};
