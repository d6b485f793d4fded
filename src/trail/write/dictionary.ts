import { createHash } from 'node:crypto';
import type pg from 'pg';
import { WaltrailError } from '../../errors.js';
import { copyBinary, RowFields } from '../../pg/copy-binary.js';
import { quoteLiteral } from '../../pg/quote.js';
import { storable } from '../../pg/text.js';
import type {
  Dictionary,
  DictionaryModifier,
  LookupName,
  Lookups,
  RedactedColumn,
  RelationVersion,
} from '../../pipeline/ports.js';
import type { Kind } from '../../tracking/rules.js';
import { NameTable } from './name-table.js';
import { relationText, storableVersion } from './relation-text.js';
import { storeVersions, type Version } from './stored-names.js';
import { TextIds } from './text-ids.js';

const MAX_INT2 = 32_767;
/**
 * Longest key that is stored unchanged. A B-tree key may take at most a third of a page, about 2,700 bytes.
 */
const MAX_KEY_BYTES = 1_000;

/**
 * The trail's dictionaries and lookup names in the writer's memory. The fence ensures that there is only one
 * writer, so it can number new texts in memory. It stores them in the transaction of the entries that use
 * them first.
 */
export class TrailDictionary implements Dictionary {
  readonly #tables = {
    modifier: new Table(),
    action: new Table(),
    entity_type: new Table(),
    tenant: new Table(),
    relation: new Table(),
  };
  /** Newest version of each table, by schema and table. */
  readonly #newestRelations = new Map<string, RelationVersion>();
  /** Redacted columns by the OID of the table and the number of the column. */
  readonly #redacted = new Map<number, Map<number, RedactedColumn>>();
  readonly lookups: TrailLookups;

  private constructor(lookups: TrailLookups) {
    this.lookups = lookups;
  }

  /** Loads all stored rows, and the current names of the lookup tables that are held in memory. */
  static async load(client: pg.Client, options: LookupOptions): Promise<TrailDictionary> {
    const dictionary = new TrailDictionary(await TrailLookups.load(client, options));
    const { modifier, action, entity_type, tenant, relation } = dictionary.#tables;
    type Named = { id: number; name: string };
    const all = async <T extends pg.QueryResultRow>(sql: string): Promise<T[]> =>
      (await client.query<T>(sql)).rows;

    // Read row by row, because there may be a million modifiers.
    await copyBinary(
      client,
      /* sql */ `copy (select id, key, name, kind, coalesce(acting_as, 0) from trail.modifier where key is not null) to stdout (format binary)`,
      (row, at) => {
        const fields = new RowFields(row, at);
        const id = fields.int4();
        const [key, name, kind] = [fields.text(), fields.text(), fields.text() as Kind];
        modifier.known(modifierText({ key, name, kind, actingAs: fields.int4() }), id);
      },
    );
    await copyBinary(
      client,
      /* sql */ `copy (select id, name from trail.tenant) to stdout (format binary)`,
      (row, at) => {
        const fields = new RowFields(row, at);
        const id = fields.int4();
        tenant.known(fields.text(), id);
      },
    );
    for (const row of await all<Named>(/* sql */ `select id, name from trail.action`))
      action.known(row.name, row.id);
    for (const row of await all<Named>(/* sql */ `select id, name from trail.entity_type`))
      entity_type.known(row.name, row.id);
    for (const row of await all<RelationRow>(
      /* sql */ `select id, schema_name, table_name, columns from trail.relation order by id`,
    )) {
      const version = { schema: row.schema_name, table: row.table_name, columns: row.columns };
      relation.known(relationText(version), row.id);
      dictionary.#seen(version);
    }
    return dictionary;
  }

  modifier(modifier: DictionaryModifier): number {
    const { kind } = modifier;
    const name = storable(modifier.name);
    const key = indexable(modifier.key);
    // The person acted as has a row of their own, which is stored first.
    const actingAs = modifier.actingAs === undefined ? 0 : this.modifier(modifier.actingAs);
    return this.#tables.modifier.id(modifierText({ key, name, kind, actingAs }), () => [
      key,
      name,
      kind,
      actingAs === 0 ? null : actingAs,
    ]);
  }

  action(name: string): number {
    return this.#small('action', name);
  }

  entityType(name: string): number {
    return this.#small('entity_type', name);
  }

  tenant(tenant: string): number {
    const name = indexable(tenant);
    return this.#tables.tenant.id(name, () => [name]);
  }

  seenTables(): Iterable<RelationVersion> {
    return this.#newestRelations.values();
  }

  newestRelation(table: { readonly schema: string; readonly table: string }): RelationVersion | undefined {
    return this.#newestRelations.get(tableText(table));
  }

  redactedColumns(relationOid: number): ReadonlyMap<number, RedactedColumn> {
    return this.#redacted.get(relationOid) ?? NONE;
  }

  relation(asked: RelationVersion): number {
    const version = storableVersion(asked);
    const text = relationText(version);
    const newest = this.#newestRelations.get(tableText(version));
    // If a table returns to an earlier version, that version gets a new number: a restart takes the version
    // with the highest number for the newest.
    if (newest !== undefined && relationText(newest) !== text) this.#tables.relation.forget(text);
    this.#seen(version);
    return this.#tables.relation.id(text, () => [
      version.schema,
      version.table,
      JSON.stringify(version.columns),
    ]);
  }

  relationOfType(asked: RelationVersion): number {
    const version = storableVersion(asked);
    return this.#tables.relation.id(relationText(version), () => [
      version.schema,
      version.table,
      JSON.stringify(version.columns),
    ]);
  }

  #seen(version: RelationVersion): void {
    // A version with labels of one entity type exists beside the version that applies to all rows.
    if (version.columns.every(({ labelType }) => labelType === undefined))
      this.#newestRelations.set(tableText(version), version);
    for (const { redacted } of version.columns) {
      if (redacted === undefined) continue;
      const { oid, number } = redacted;
      const columns = this.#redacted.get(oid) ?? new Map<number, RedactedColumn>();
      this.#redacted.set(oid, columns.set(number, redacted));
    }
  }

  /** Number of rows that wait to be stored. */
  get pending(): number {
    return Object.values(this.#tables).reduce(
      (sum, table) => sum + table.pending.length,
      this.lookups.pending,
    );
  }

  /**
   * Returns statements that store everything new since the last call. Names that take effect from an entry
   * after `untilId` are kept back: if they were stored before that entry, a restart would use them too early.
   */
  takeStatements(untilId: bigint): string[] {
    const inserts = Object.entries(this.#tables).flatMap(([name, table]) => {
      const columns = INSERT_COLUMNS[name as keyof typeof INSERT_COLUMNS];
      return insertStatements(`insert into trail.${name} (${columns})`, table.pending.splice(0));
    });
    return [...inserts, ...this.lookups.takeStatements(untilId)];
  }

  #small(table: 'action' | 'entity_type', asked: string): number {
    const name = storable(asked);
    const id = this.#tables[table].id(name, () => [name]);
    if (id <= MAX_INT2) return id;
    throw new WaltrailError(
      'TRAIL_WRITE_FAILED',
      `trail.${table} has reached its limit of ${MAX_INT2} rows.`,
    );
  }
}

const NONE: ReadonlyMap<number, RedactedColumn> = new Map();

const INSERT_COLUMNS = {
  modifier: 'id, key, name, kind, acting_as',
  action: 'id, name',
  entity_type: 'id, name',
  tenant: 'id, name',
  relation: 'id, schema_name, table_name, columns',
} as const;

type RelationRow = {
  id: number;
  schema_name: string;
  table_name: string;
  columns: RelationVersion['columns'];
};

/** One dictionary. It maps texts to numbers, and holds the rows that are not stored yet. */
class Table {
  readonly #ids = new TextIds();
  #next = 1;
  readonly pending: (readonly (number | string | null)[])[] = [];

  known(text: string, id: number): void {
    this.#ids.set(text, id);
    this.#next = Math.max(this.#next, id + 1);
  }

  forget(text: string): void {
    this.#ids.forget(text);
  }

  id(text: string, row: () => readonly (number | string | null)[]): number {
    const id = this.#ids.getOrSet(text, this.#next);
    if (id === this.#next) {
      this.#next++;
      this.pending.push([id, ...row()]);
    }
    return id;
  }
}

/** Removal of all names of a table after the table was emptied. */
interface Clearing {
  readonly fromId: bigint;
  readonly cleared: string;
}

interface LookupOptions {
  /** Lookup tables with names that are held in memory. */
  readonly held: ReadonlySet<string>;
  /** Every lookup table, and whether its rows belong to tenants. */
  readonly lookupTables: ReadonlyMap<string, boolean>;
  readonly nextId: () => bigint;
}

/** Names and followed columns: current ones in memory, and versions that wait to be stored. */
class TrailLookups implements Lookups {
  /** Current names of the held tables. */
  readonly #held: ReadonlyMap<string, NameTable>;
  readonly #tables: ReadonlyMap<string, boolean>;
  readonly #nextId: () => bigint;
  /**
   * Changes that wait to be stored, in the order in which they happened, so their ids never decrease.
   * Versions are keyed by table, key and id. A later version for the same id replaces the earlier one.
   */
  readonly #waiting: (Map<string, Version> | Clearing)[] = [];

  private constructor(options: LookupOptions) {
    this.#tables = options.lookupTables;
    this.#held = new Map([...options.held].map((table) => [table, new NameTable()]));
    this.#nextId = options.nextId;
  }

  static async load(client: pg.Client, options: LookupOptions): Promise<TrailLookups> {
    const lookups = new TrailLookups(options);
    // Read row by row, in the order of the primary key, because there may be millions of names.
    for (const [table, names] of lookups.#held) {
      await copyBinary(
        client,
        `copy (select key, name, coalesce(kind, ''), tenant from (
                 select distinct on (key) key, name, kind, tenant from trail.lookup
                  where table_name = ${quoteLiteral(table)} order by key, from_id desc) newest
                where name is not null) to stdout (format binary)`,
        (row, at) => {
          const fields = new RowFields(row, at);
          names.set(fields.text(), {
            name: fields.text(),
            kind: kindOf(fields.text()),
            tenant: fields.textOrNull(),
          });
        },
      );
    }
    return lookups;
  }

  hasTenants(table: string): boolean {
    return this.#tables.get(table) ?? true;
  }

  get(table: string, key: string): LookupName | undefined {
    return this.#held.get(table)?.get(indexable(key));
  }

  set(table: string, longKey: string, newName: LookupName | null): void {
    const key = indexable(longKey);
    const name =
      newName === null
        ? null
        : {
            name: storable(newName.name),
            kind: newName.kind,
            tenant: newName.tenant === null ? null : indexable(newName.tenant),
          };
    const held = this.#held.get(table);
    if (name === null) held?.delete(key);
    else held?.set(key, name);
    const fromId = this.#nextId();
    let versions = this.#waiting.at(-1);
    if (!(versions instanceof Map)) {
      versions = new Map();
      this.#waiting.push(versions);
    }
    versions.set(JSON.stringify([table, key, String(fromId)]), { fromId, table, key, name });
  }

  clear(table: string): void {
    this.#held.get(table)?.clear();
    this.#waiting.push({ fromId: this.#nextId(), cleared: table });
  }

  get pending(): number {
    return this.#waiting.reduce((sum, group) => sum + (group instanceof Map ? group.size : 1), 0);
  }

  takeStatements(untilId: bigint): string[] {
    const statements: string[] = [];
    for (let group = this.#waiting[0]; group !== undefined; group = this.#waiting[0]) {
      if (group instanceof Map) {
        statements.push(...storeVersions(takeVersions(group, untilId)));
        if (group.size > 0) break;
      } else {
        if (group.fromId > untilId) break;
        statements.push(storeClearing(group));
      }
      this.#waiting.shift();
    }
    return statements;
  }
}

const kindOf = (text: string): Kind | null => (text === '' ? null : (text as Kind));

function takeVersions(versions: Map<string, Version>, untilId: bigint): Version[] {
  const taken: Version[] = [];
  for (const [id, version] of versions) {
    if (version.fromId > untilId) break;
    taken.push(version);
    versions.delete(id);
  }
  return taken;
}

const storeClearing = ({ cleared, fromId }: Clearing): string =>
  `select trail.clear_names(${quoteLiteral(cleared)}, ${fromId})`;

/**
 * Returns a key in a form that the trail and its index can hold. A key that is too long is cut, and a digest
 * is appended that distinguishes it from keys with the same beginning.
 */
export function indexable(longKey: string): string {
  const key = storable(longKey);
  if (key.length * 3 <= MAX_KEY_BYTES || Buffer.byteLength(key) <= MAX_KEY_BYTES) return key;
  // Cut by bytes. A string that is cut inside a character would be stored differently from its form in
  // memory.
  return `${Buffer.from(key).toString('utf8', 0, MAX_KEY_BYTES / 2)}…${createHash('sha256').update(key).digest('hex')}`;
}

const ROWS_PER_STATEMENT = 1_000;

function insertStatements(into: string, rows: readonly (readonly (string | number | null)[])[]): string[] {
  const statements: string[] = [];
  for (let start = 0; start < rows.length; start += ROWS_PER_STATEMENT) {
    const values = rows
      .slice(start, start + ROWS_PER_STATEMENT)
      .map(valuesRow)
      .join(', ');
    statements.push(`${into} values ${values}`);
  }
  return statements;
}

/** @param modifier.actingAs number of the person acted as; 0: nobody */
const modifierText = (modifier: {
  readonly key: string;
  readonly name: string;
  readonly kind: Kind;
  readonly actingAs: number;
}): string =>
  JSON.stringify([
    modifier.key,
    modifier.name,
    modifier.kind,
    ...(modifier.actingAs === 0 ? [] : [modifier.actingAs]),
  ]);

const tableText = ({ schema, table }: { readonly schema: string; readonly table: string }): string =>
  JSON.stringify([schema, table]);

const valuesRow = (row: readonly (number | string | null)[]): string =>
  `(${row.map((value) => (value === null ? 'null' : typeof value === 'number' ? String(value) : quoteLiteral(value))).join(', ')})`;
