import type pg from 'pg';
import { WaltrailError } from '../errors.js';
import { quoteLiteral } from '../pg/quote.js';
import type { Dictionary, LookupName, Lookups, RelationVersion } from '../pipeline/ports.js';
import type { Kind } from '../tracking/rules.js';

const MAX_INT2 = 32_767;

/**
 * The trail's dictionaries and lookup names in the writer's memory. The writer is alone (the fence sees to it), so it
 * numbers new texts itself and stores them in the transaction of the entries that use them first.
 */
export class TrailDictionary implements Dictionary {
  readonly #tables = {
    modifier: new Table(),
    action: new Table(),
    entity_type: new Table(),
    tenant: new Table(),
    relation: new Table(),
  };
  readonly lookups: TrailLookups;

  private constructor(lookups: TrailLookups) {
    this.lookups = lookups;
  }

  /** Everything that is stored, and the current names of the lookup tables in `held`. */
  static async load(
    client: pg.Client,
    options: { readonly held: ReadonlySet<string>; readonly nextId: () => bigint },
  ): Promise<TrailDictionary> {
    const dictionary = new TrailDictionary(await TrailLookups.load(client, options));
    const { modifier, action, entity_type, tenant, relation } = dictionary.#tables;
    type Named = { id: number; name: string };
    const all = async <T extends pg.QueryResultRow>(sql: string): Promise<T[]> =>
      (await client.query<T>(sql)).rows;

    for (const row of await all<Named & { key: string | null; kind: Kind }>(
      /* sql */ `select id, key, name, kind from trail.modifier`,
    )) {
      modifier.known(row.key === null ? '' : modifierText({ ...row, key: row.key }), row.id);
    }
    for (const row of await all<Named>(/* sql */ `select id, name from trail.action`))
      action.known(row.name, row.id);
    for (const row of await all<Named>(/* sql */ `select id, name from trail.entity_type`))
      entity_type.known(row.name, row.id);
    for (const row of await all<Named>(/* sql */ `select id, name from trail.tenant`))
      tenant.known(row.name, row.id);
    for (const row of await all<RelationRow>(
      /* sql */ `select id, schema_name, table_name, columns from trail.relation`,
    )) {
      relation.known(
        relationText({ schema: row.schema_name, table: row.table_name, columns: row.columns }),
        row.id,
      );
    }
    return dictionary;
  }

  modifier(modifier: { readonly key: string; readonly name: string; readonly kind: Kind }): number {
    return this.#tables.modifier.id(modifierText(modifier), () => [
      modifier.key,
      modifier.name,
      modifier.kind,
    ]);
  }

  action(name: string): number {
    return this.#small('action', name);
  }

  entityType(name: string): number {
    return this.#small('entity_type', name);
  }

  tenant(name: string): number {
    return this.#tables.tenant.id(name, () => [name]);
  }

  relation(version: RelationVersion): number {
    return this.#tables.relation.id(relationText(version), () => [
      version.schema,
      version.table,
      JSON.stringify(version.columns),
    ]);
  }

  /** Rows that wait to be stored. */
  get pending(): number {
    return Object.values(this.#tables).reduce(
      (sum, table) => sum + table.pending.length,
      this.lookups.pending,
    );
  }

  /** Statements that store what is new since the last call. */
  takeStatements(): string[] {
    const inserts = Object.entries(this.#tables).flatMap(([name, table]) => {
      const columns = INSERT_COLUMNS[name as keyof typeof INSERT_COLUMNS];
      return insertStatements(`insert into trail.${name} (${columns})`, table.pending.splice(0));
    });
    return [...inserts, ...this.lookups.takeStatements()];
  }

  #small(table: 'action' | 'entity_type', name: string): number {
    const id = this.#tables[table].id(name, () => [name]);
    if (id <= MAX_INT2) return id;
    throw new WaltrailError(
      'TRAIL_WRITE_FAILED',
      `The trail has ${MAX_INT2} rows in trail.${table}, its limit.`,
    );
  }
}

const INSERT_COLUMNS = {
  modifier: 'id, key, name, kind',
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

/** One dictionary: text to number, and the rows that are not stored yet. */
class Table {
  readonly #ids = new Map<string, number>();
  #next = 1;
  readonly pending: (readonly (number | string)[])[] = [];

  known(text: string, id: number): void {
    this.#ids.set(text, id);
    this.#next = Math.max(this.#next, id + 1);
  }

  id(text: string, row: () => readonly string[]): number {
    const known = this.#ids.get(text);
    if (known !== undefined) return known;
    const id = this.#next++;
    this.#ids.set(text, id);
    this.pending.push([id, ...row()]);
    return id;
  }
}

/** Names of modifiers and labels: those held in memory, and the versions that wait to be stored. */
class TrailLookups implements Lookups {
  /** Current names of the held tables. */
  readonly #held: ReadonlyMap<string, Map<string, LookupName>>;
  readonly #nextId: () => bigint;
  /** By table, key and id: two versions for one id are one. */
  #versions = new Map<string, readonly (string | number | null)[]>();
  readonly #cleared: string[] = [];

  private constructor(options: { readonly held: ReadonlySet<string>; readonly nextId: () => bigint }) {
    this.#held = new Map([...options.held].map((table) => [table, new Map<string, LookupName>()]));
    this.#nextId = options.nextId;
  }

  static async load(
    client: pg.Client,
    options: { readonly held: ReadonlySet<string>; readonly nextId: () => bigint },
  ): Promise<TrailLookups> {
    const lookups = new TrailLookups(options);
    const { rows } = await client.query<{
      table_name: string;
      key: string;
      name: string | null;
      kind: Kind | null;
    }>(
      /* sql */ `select distinct on (table_name, key) table_name, key, name, kind
                   from trail.lookup where table_name = any($1)
                  order by table_name, key, from_id desc`,
      [[...options.held]],
    );
    for (const { table_name, key, name, kind } of rows) {
      if (name !== null) lookups.#held.get(table_name)?.set(key, { name, kind });
    }
    return lookups;
  }

  get(table: string, key: string): LookupName | undefined {
    return this.#held.get(table)?.get(key);
  }

  set(table: string, key: string, name: LookupName | null): void {
    const held = this.#held.get(table);
    if (name === null) held?.delete(key);
    else held?.set(key, name);
    const fromId = String(this.#nextId());
    this.#versions.set(JSON.stringify([table, key, fromId]), [
      table,
      key,
      fromId,
      name?.name ?? null,
      name?.kind ?? null,
    ]);
  }

  clear(table: string): void {
    this.#held.get(table)?.clear();
    this.#cleared.push(...this.takeStatements());
    this.#cleared.push(
      `insert into trail.lookup (table_name, key, from_id) ` +
        `select distinct table_name, key, ${this.#nextId()} from trail.lookup where table_name = ${quoteLiteral(table)} on conflict do nothing`,
    );
  }

  get pending(): number {
    return this.#versions.size + this.#cleared.length;
  }

  takeStatements(): string[] {
    const rows = [...this.#versions.values()];
    this.#versions = new Map();
    return [
      ...this.#cleared.splice(0),
      ...insertStatements('insert into trail.lookup (table_name, key, from_id, name, kind)', rows, {
        onConflict:
          ' on conflict (table_name, key, from_id) do update set name = excluded.name, kind = excluded.kind',
      }),
    ];
  }
}

const ROWS_PER_STATEMENT = 1_000;

function insertStatements(
  into: string,
  rows: readonly (readonly (string | number | null)[])[],
  options: { readonly onConflict: string } = { onConflict: '' },
): string[] {
  const statements: string[] = [];
  for (let start = 0; start < rows.length; start += ROWS_PER_STATEMENT) {
    const values = rows
      .slice(start, start + ROWS_PER_STATEMENT)
      .map(valuesRow)
      .join(', ');
    statements.push(`${into} values ${values}${options.onConflict}`);
  }
  return statements;
}

const modifierText = (modifier: {
  readonly key: string;
  readonly name: string;
  readonly kind: Kind;
}): string => JSON.stringify([modifier.key, modifier.name, modifier.kind]);

/** The same text for the same version, in whatever order jsonb gave the members back. */
const relationText = (version: RelationVersion): string =>
  JSON.stringify([
    version.schema,
    version.table,
    version.columns.map(({ name, type, values, label }) => [
      name,
      type,
      values === undefined ? null : Object.entries(values).sort(),
      label ?? null,
    ]),
  ]);

const valuesRow = (row: readonly (number | string | null)[]): string =>
  `(${row.map((value) => (value === null ? 'null' : typeof value === 'number' ? String(value) : quoteLiteral(value))).join(', ')})`;
