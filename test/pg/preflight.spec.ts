import { describe, expect, test } from '@jest/globals';
import { connect } from '../../src/pg/connect.js';
import { applyPlan } from '../../src/tracking/apply.js';
import { readCatalog, type Catalog } from '../../src/tracking/catalog.js';
import { checkCatalog, checkTracking } from '../../src/tracking/check.js';
import { parseConfig } from '../../src/tracking/load.js';
import { planTracking } from '../../src/tracking/plan.js';
import type { TrackingConfig } from '../../src/tracking/rules.js';
import { freshDatabase, type TestDatabase } from '../support/database.ts';

const configOf = (
  database: TestDatabase,
  tables = '{ public.a: { entity: a }, public.b: { entity: b } }',
): TrackingConfig =>
  parseConfig({
    text: `source: { name: crm, url: "\${URL}", slot: ${database.name} }\ntrail: { url: "\${URL}" }\ntables: ${tables}\n`,
    file: 'w.yaml',
    environment: { URL: database.url },
  });

async function check(database: TestDatabase, config: TrackingConfig, url = database.url) {
  const client = await connect({ url, purpose: 'test' });
  try {
    return await checkTracking(client, config);
  } finally {
    await client.end();
  }
}

async function prepared(database: TestDatabase, config: TrackingConfig): Promise<Catalog> {
  const client = await connect({ url: database.url, purpose: 'test' });
  try {
    await applyPlan(client, planTracking({ config, catalog: await readCatalog(client) }));
    return await readCatalog(client);
  } finally {
    await client.end();
  }
}

const TABLES = 'create table a (id int primary key, x int); create table b (id int primary key)';

describe('before capture starts', () => {
  test('a prepared source passes, and the catalog has what the pipeline needs', async () => {
    await using database = await freshDatabase('empty');
    await database.query(`${TABLES}; create table c (x int, y int, primary key (y, x))`);
    const config = configOf(database);
    await prepared(database, config);
    const { tables } = await check(database, config);
    expect(tables.map(({ schema, name, primaryKey }) => [schema, name, primaryKey])).toEqual([
      ['public', 'a', ['id']],
      ['public', 'b', ['id']],
      ['public', 'c', ['y', 'x']],
    ]);
  });

  test('an unprepared source is refused with the SQL of its publication, and everything else is trouble of tables', async () => {
    await using database = await freshDatabase('empty');
    await database.query(TABLES);
    const config = configOf(database);
    const error = await check(database, config).then(
      () => undefined,
      (reason: unknown) => reason as { code: string; message: string; remedy: string },
    );
    expect(error).toMatchObject({ code: 'SOURCE_PUBLICATION_MISSING', retry: 'operator' });
    await database.query(error!.remedy.replace('Run waltrail apply, or run on the source: ', ''));
    const { troubles } = await check(database, config);
    expect(troubles.map(({ table, code, effect }) => [table, code, effect])).toEqual([
      ['public.a', 'SOURCE_REPLICA_IDENTITY', 'previous values unknown'],
      ['public.b', 'SOURCE_REPLICA_IDENTITY', 'previous values unknown'],
    ]);
    for (const { remedy } of troubles)
      await database.query(remedy.replace('Run waltrail apply, or run on the source: ', ''));
    expect((await check(database, config)).troubles).toEqual([]);
  });

  test.each([
    ['drop publication waltrail', 'SOURCE_PUBLICATION_MISSING', 'has no publication waltrail'],
    [
      `alter publication waltrail set (publish = 'insert')`,
      'SOURCE_PUBLICATION_INCOMPLETE',
      'every operation',
    ],
  ])('%s is refused, because it concerns every table', async (sql, code, message) => {
    await using database = await freshDatabase('empty');
    await database.query(TABLES);
    const config = configOf(database);
    await prepared(database, config);
    await database.query(sql);
    await expect(check(database, config)).rejects.toMatchObject({
      code,
      message: expect.stringContaining(message),
    });
  });

  test.each([
    ['alter publication waltrail drop table b', 'public.b', 'SOURCE_PUBLICATION_INCOMPLETE', 'not captured'],
    [
      'alter publication waltrail set table a where (id > 5), b',
      'public.a',
      'SOURCE_PUBLICATION_INCOMPLETE',
      'as far as possible',
    ],
    [
      'alter table b replica identity default',
      'public.b',
      'SOURCE_REPLICA_IDENTITY',
      'previous values unknown',
    ],
    ['alter table b replica identity nothing', 'public.b', 'SOURCE_WRITES_REFUSED', 'writes refused'],
    ['drop table b', 'public.b', 'TRACKING_TABLE_UNKNOWN', 'not captured'],
    ['alter table b rename to c', 'public.b', 'TRACKING_TABLE_UNKNOWN', 'not captured'],
    ['alter table a drop column x', 'public.a', 'TRACKING_COLUMN_UNKNOWN', 'as far as possible'],
  ])('%s is a trouble of that table alone', async (sql, table, code, effect) => {
    await using database = await freshDatabase('empty');
    await database.query(TABLES);
    const config = configOf(database, '{ public.a: { entity: a, name: "{x}" }, public.b: { entity: b } }');
    await prepared(database, config);
    await database.query(sql);
    const { troubles } = await check(database, config);
    expect(troubles.map((trouble) => [trouble.table, trouble.code, trouble.effect])).toEqual([
      [table, code, effect],
    ]);
    expect(troubles[0]!.message).toMatch(
      new RegExp(`source.*${table.replace('.', '\\.')}|${table}.*source`, 'i'),
    );
    expect(troubles[0]!.remedy).toMatch(/\.$|;$/);
  });

  test('a pattern whose last table was dropped is a trouble of the pattern', async () => {
    await using database = await freshDatabase('empty');
    await database.query(`${TABLES}; create schema shop; create table shop.orders (id int primary key)`);
    const config = configOf(database, '{ public.*: { entity: a }, shop.*: { entity: order } }');
    await prepared(database, config);
    await database.query('drop table shop.orders');
    expect((await check(database, config)).troubles).toMatchObject([
      { table: 'shop.*', code: 'TRACKING_PATTERN_UNMATCHED', effect: 'not captured' },
    ]);
  });

  test('an additional table in the publication does no harm', async () => {
    await using database = await freshDatabase('empty');
    await database.query(`${TABLES}; create table c (id int primary key)`);
    const config = configOf(database);
    await prepared(database, config);
    await database.query('alter publication waltrail add table c');
    await check(database, config);
  });

  test('a partition that is added later is a trouble of its own: capture continues without its old values', async () => {
    await using database = await freshDatabase('empty');
    await database.query(`create table e (id int primary key) partition by range (id);
      create table e1 partition of e for values from (1) to (10)`);
    const config = configOf(database, '{ public.e: { entity: e } }');
    await prepared(database, config);
    await database.query('create table e2 partition of e for values from (10) to (20)');
    expect((await check(database, config)).troubles).toMatchObject([
      {
        table: 'public.e2',
        code: 'SOURCE_REPLICA_IDENTITY',
        effect: 'previous values unknown',
        remedy: expect.stringContaining('alter table only "public"."e2" replica identity full;'),
      },
    ]);
  });

  test('a role that may not replicate is refused, and one that may not read names is told the missing grant', async () => {
    await using database = await freshDatabase('empty');
    const role = `${database.name}_role`;
    await database.query(`${TABLES}; create role ${role} login password 'x'`);
    try {
      const config = configOf(
        database,
        '{ public.a: { entity: a, labels: { x: { table: public.b, key: id, name: "{id}" } } } }',
      );
      await prepared(database, config);
      const url = new URL(database.url);
      url.username = role;
      url.password = 'x';
      await expect(check(database, config, url.href)).rejects.toMatchObject({
        code: 'SOURCE_PRIVILEGE',
        message: expect.stringContaining(`Role ${role} may not start replication.`),
      });
      await database.query(`alter role ${role} replication`);
      const grant = `grant usage on schema "public" to "${role}"; grant select ("id") on "public"."b" to "${role}";`;
      expect((await check(database, config, url.href)).remarks.join()).toContain(grant);
      await database.query(grant);
      expect((await check(database, config, url.href)).remarks.join()).not.toContain('names of before');
      await database.query(`drop owned by ${role}`);
    } finally {
      await database.query(`drop role ${role}`);
    }
  });

  test.each<[string, Partial<Catalog['server']>, string]>([
    ['wal_level', { walLevel: 'replica' }, 'SOURCE_WAL_LEVEL'],
    ['a standby', { inRecovery: true }, 'SOURCE_UNSUPPORTED'],
    ['no free slot', { maxSlots: 0 }, 'SOURCE_SLOTS_EXHAUSTED'],
    ['no free connection', { maxSenders: 0 }, 'SOURCE_SLOTS_EXHAUSTED'],
  ])('a server that cannot serve is refused: %s', async (_, server, code) => {
    await using database = await freshDatabase('empty');
    await database.query(TABLES);
    const config = configOf(database);
    const catalog = await prepared(database, config);
    // The server of the tests is suitable, so its reported settings are changed.
    const changed = { ...catalog, server: { ...catalog.server, ...server } };
    expect(() => checkCatalog({ config, catalog: changed })).toThrow(expect.objectContaining({ code }));
  });

  test('having no free slot is no problem once the slot of Waltrail exists', async () => {
    await using database = await freshDatabase('empty');
    await database.query(TABLES);
    const config = configOf(database);
    await prepared(database, config);
    await database.query(`select pg_create_logical_replication_slot('${database.name}', 'pgoutput')`);
    const client = await connect({ url: database.url, purpose: 'test' });
    const catalog = await readCatalog(client).finally(() => client.end());
    checkCatalog({
      config,
      catalog: { ...catalog, server: { ...catalog.server, maxSlots: catalog.slots.length } },
    });
  });

  test('a publication that holds the trail is refused, because the trail would audit itself, and apply removes it', async () => {
    await using database = await freshDatabase('trail');
    await database.query(TABLES);
    const config = configOf(database);
    await prepared(database, config);
    await database.query('alter publication waltrail add table trail.checkpoint');
    await expect(check(database, config)).rejects.toMatchObject({
      code: 'SOURCE_PUBLISHES_TRAIL',
      message: expect.stringContaining('trail.checkpoint'),
      remedy: expect.stringContaining('alter publication "waltrail" drop table "trail"."checkpoint";'),
    });
    await prepared(database, config);
    await check(database, config);
  });
});
