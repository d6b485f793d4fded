import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { tablesOf, type Table } from '../schemas/catalog.ts';
import { seed } from '../schemas/seed.ts';
import { simulate, type Deed } from '../schemas/simulate.ts';
import { columnsOfName, SCHEMAS, schemaSql, truthOf, type SchemaName, type Truth } from '../schemas/truth.ts';
import { SECRET_PREFIX } from '../schemas/values.ts';
import type { World } from '../schemas/world.ts';
import { freshDatabase, type TestDatabase } from '../support/database.ts';

const SEED = 11;
const TRANSACTIONS = 120;
const LEAST_TABLES = { chatwoot: 80, mastodon: 100, lago: 60, pagila: 15, northwind: 14 } as const;

/** A schema with its rows. */
interface Ground extends AsyncDisposable {
  readonly database: TestDatabase;
  readonly truth: Truth;
  readonly tables: ReadonlyMap<string, Table>;
  readonly world: World;
}

async function seeded(name: SchemaName): Promise<Ground> {
  const database = await freshDatabase('empty');
  await database.query(await schemaSql(name));
  const truth = await truthOf(name);
  return {
    database,
    truth,
    tables: await tablesOf(database),
    world: await seed(database, { truth, seed: SEED }),
    [Symbol.asyncDispose]: () => database[Symbol.asyncDispose](),
  };
}

describe.each(SCHEMAS)('%s', (name) => {
  let g: Ground;
  beforeAll(async () => {
    g = await seeded(name);
  });
  afterAll(async () => {
    await g[Symbol.asyncDispose]();
  });

  test('the truth has every table once, and names only what exists', async () => {
    const { truth, tables, database } = g;
    expect(tables.size).toBeGreaterThanOrEqual(LEAST_TABLES[name]);
    expect([...truth.tables, ...truth.internal].sort()).toEqual([...tables.keys()].sort());
    const partitions = await database.query<{ root: string; name: string }>(
      `select inhparent::regclass::text as root, inhrelid::regclass::text as name
        from pg_inherits join pg_class on pg_class.oid = inhrelid and relkind = 'r' order by 1, 2`,
    );
    const told = Object.entries(truth.partitions).flatMap(([root, names]) =>
      names.map((partition) => ({ root, name: partition })),
    );
    expect(told).toEqual(partitions);
    const known = new Set([...tables.values()].flatMap((table) => columnsOf(table)));
    expect(namedTables(truth).filter((table) => !tables.has(table))).toEqual([]);
    expect(namedColumns(truth).filter((column) => !known.has(column))).toEqual([]);
    expect(Object.keys(truth.members).filter((column) => !truth.secrets.includes(column))).toEqual([]);
    expect(truth.arguable.filter((column) => truth.secrets.includes(column))).toEqual([]);
    const authors = truth.authors.map(({ table, column }) => `${table}.${column}`);
    expect(truth.notAuthors.filter((column) => authors.includes(column))).toEqual([]);
  });

  test('every table has its tenant in a column or by a join, or is known to have none', () => {
    const { tenant, tables: data } = g.truth;
    if (tenant === null) return;
    const hasColumn = (table: string): boolean =>
      columnsOf(g.tables.get(table)!).includes(`${table}.${tenant.column}`);
    const told = [...Object.keys(tenant.via), ...tenant.without];
    expect(told.sort()).toEqual(data.filter((table) => !hasColumn(table)).sort());
  });

  test('every table has rows, all with a name, and with secrets where the truth states them', async () => {
    const { database, truth, tables } = g;
    const empty = [...tables.keys()].map(
      (table) => `select '${table}' as table where not exists (select from "${table}")`,
    );
    expect(await database.query(empty.join(' union all '))).toEqual([]);
    for (const [table, template] of Object.entries(truth.names)) {
      const blank = columnsOfName(template).map((column) => `coalesce("${column}"::text, '') = ''`);
      const nameless = await database.query(`select from "${table}" where ${blank.join(' and ')}`);
      expect([table, nameless]).toEqual([table, []]);
    }
    for (const full of truth.secrets) {
      const [table, column] = full.split('.');
      const [row] = await database.query<{ all: boolean }>(
        `select bool_and("${column}"::text like '%${SECRET_PREFIX}%') as all from "${table}"`,
      );
      expect([full, row!.all]).toEqual([full, true]);
    }
  });

  test('a simulated day has the author of each change, and is the same again for the same seed', async () => {
    await using other = await seeded(name);
    const deeds = await dayOf(g);
    const again = await dayOf(other);
    expect(deeds.length).toBeGreaterThanOrEqual(TRANSACTIONS);
    expect(deeds.map(({ actor, changes }) => ({ actor, changes }))).toEqual(
      again.map(({ actor, changes }) => ({ actor, changes })),
    );
    expect(await contents(g)).toEqual(await contents(other));
    expect(new Set(deeds.map(({ xid }) => xid)).size).toBe(deeds.length);
    const operations = deeds.flatMap(({ changes }) => changes.map(({ operation }) => operation));
    expect(new Set(operations)).toEqual(new Set(['insert', 'update', 'delete']));
    expect(deeds.some(({ actor }) => actor === null)).toBe(true);
    expect(await misattributed(g, deeds)).toEqual([]);
  });
});

test('in tables that an application audits as a whole, every change has an audit row', async () => {
  await using g = await seeded('lago');
  const [witness] = g.truth.witness;
  const tables = witness!.of.map(({ table }) => table);
  const deeds = await simulate(g.database, g.world, { seed: SEED, transactions: 40, tables });
  const changes = deeds.map((deed) => deed.changes.filter(({ isWitness }) => !isWitness));
  expect(changes.flat().filter(({ table }) => !tables.includes(table))).toEqual([]);
  const audited = deeds.map((deed) => deed.changes.filter(({ isWitness }) => isWitness).length);
  expect(audited).toEqual(changes.map(({ length }) => length));
  expect(new Set(deeds.map(({ actor }) => actor?.key)).size).toBeGreaterThan(3);
});

const dayOf = ({ database, world }: Ground): Promise<readonly Deed[]> =>
  simulate(database, world, { seed: SEED, transactions: TRANSACTIONS });

/** A digest for each table, without the times that triggers set. */
async function contents({ database, tables }: Ground): Promise<readonly unknown[]> {
  const digests = [...tables.keys()].map(
    (table) => `select '${table}' as table, md5(string_agg(row, ',' order by row)) as digest
      from (select (to_jsonb(t) - 'last_update')::text as row from "${table}" t) rows`,
  );
  return database.query(`${digests.join(' union all ')} order by 1`);
}

/** Rows whose author columns or audit rows do not name the author of their last change. */
async function misattributed(
  { database, truth, world }: Ground,
  deeds: readonly Deed[],
): Promise<readonly string[]> {
  const columns = [
    ...truth.authors.filter(({ type }) => type === undefined).map((author) => ({ ...author, prefix: '' })),
    ...truth.witness.map(({ table, modifier, prefix = '' }) => ({
      table,
      column: modifier,
      prefix,
      of: truth.modifiers[0]!,
      on: ['insert'] as const,
    })),
  ];
  const wrong: string[] = [];
  for (const { table, column, prefix, of, on } of columns) {
    const people = of as string;
    const makers = new Map(
      deeds.flatMap(({ actor, changes }) =>
        changes
          .filter(
            (change) => change.table === table && on.some((operation) => operation === change.operation),
          )
          .map((change) => [change.key[0]!, actor?.key ?? null] as const),
      ),
    );
    const [key] = world.table(table).key;
    const [personKey] = world.table(people).key;
    const rows = await database.query<{ id: string; person: string | null }>(
      `select t."${key}"::text as id, p."${truth.samePerson[people] ?? personKey}"::text as person
        from "${table}" t left join "${people}" p on $1 || p."${personKey}" = t."${column}"::text`,
      [prefix],
    );
    wrong.push(
      ...rows
        .filter(({ id, person }) => makers.has(id) && makers.get(id) !== person)
        .map(({ id }) => `${table}.${column} of ${id}`),
    );
  }
  return wrong;
}

const columnsOf = (table: Table): readonly string[] =>
  table.columns.map(({ name }) => `${table.name}.${name}`);

const namedTables = (truth: Truth): readonly string[] => [
  ...Object.keys(truth.names),
  ...Object.keys(truth.busy),
  ...Object.values(truth.references),
  ...truth.modifiers,
  ...truth.loginTables,
  ...truth.polymorphic.flatMap(({ table, of }) => [table, ...Object.values(of)]),
  ...truth.authors.flatMap(({ table, of }) => [
    table,
    ...(typeof of === 'string' ? [of] : Object.values(of)),
  ]),
  ...truth.witness.flatMap(({ table, of }) => [table, ...of.map((witnessed) => witnessed.table)]),
  ...(truth.tenant === null ? [] : [truth.tenant.table]),
];

const namedColumns = (truth: Truth): readonly string[] => [
  ...truth.secrets,
  ...truth.arguable,
  ...truth.notAuthors,
  ...truth.logins,
  ...Object.keys(truth.enums),
  ...Object.keys(truth.references),
  ...Object.entries(truth.samePerson).map(([table, column]) => `${table}.${column}`),
  ...Object.entries(truth.tenant?.via ?? {}).map(([table, column]) => `${table}.${column}`),
  ...Object.entries(truth.names).flatMap(([table, template]) =>
    columnsOfName(template).map((column) => `${table}.${column}`),
  ),
  ...truth.polymorphic.flatMap(({ table, type, key }) => [`${table}.${type}`, `${table}.${key}`]),
  ...truth.authors.flatMap(({ table, column, type }) =>
    (type === undefined ? [column] : [column, type]).map((name) => `${table}.${name}`),
  ),
  ...truth.witness.flatMap(({ table, modifier, when, row, action, touched, of }) => [
    ...[
      modifier,
      ...Object.keys(when),
      row.type,
      row.key,
      action,
      ...(touched === undefined ? [] : [touched]),
    ].map((column) => `${table}.${column}`),
    ...of.flatMap((witnessed) =>
      witnessed.column === undefined ? [] : [`${witnessed.table}.${witnessed.column}`],
    ),
  ]),
];
