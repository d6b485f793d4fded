import { describe, expect, test } from '@jest/globals';
import { connect } from '../../src/pg/connect.js';
import { applyPlan } from '../../src/tracking/apply.js';
import { readCatalog, type Catalog } from '../../src/tracking/catalog.js';
import { checkTracking, preflight } from '../../src/tracking/check.js';
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
  test('a prepared source passes, and the catalog says what the pipeline has to know', async () => {
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

  test('an unprepared source is refused with the SQL that prepares it', async () => {
    await using database = await freshDatabase('empty');
    await database.query(TABLES);
    const config = configOf(database);
    const error = await check(database, config).then(
      () => undefined,
      (reason: unknown) => reason as { code: string; message: string; remedy: string },
    );
    expect(error).toMatchObject({ code: 'SOURCE_REPLICA_IDENTITY', retry: 'operator' });
    expect(error!.message).toContain('The source has no publication waltrail.');
    for (const line of error!.remedy.split('\n'))
      await database.query(line.replace('Run waltrail apply, or on the source: ', ''));
    await check(database, config);
  });

  test.each([
    ['drop publication waltrail', 'SOURCE_PUBLICATION_MISSING', 'has no publication waltrail'],
    ['alter publication waltrail drop table b', 'SOURCE_PUBLICATION_INCOMPLETE', 'public.b'],
    ['alter publication waltrail set table a where (id > 5), b', 'SOURCE_PUBLICATION_INCOMPLETE', 'public.a'],
    [
      `alter publication waltrail set (publish = 'insert')`,
      'SOURCE_PUBLICATION_INCOMPLETE',
      'every operation',
    ],
    [
      'alter table b replica identity default',
      'SOURCE_REPLICA_IDENTITY',
      'public.b has no replica identity full',
    ],
    ['drop table b', 'TRACKING_TABLE_UNKNOWN', 'has no table public.b'],
  ])('%s is noticed', async (sql, code, message) => {
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

  test('a table too many in the publication does no harm', async () => {
    await using database = await freshDatabase('empty');
    await database.query(`${TABLES}; create table c (id int primary key)`);
    const config = configOf(database);
    await prepared(database, config);
    await database.query('alter publication waltrail add table c');
    await check(database, config);
  });

  test('a partition made later is a remark, for capture goes on without its old values', async () => {
    await using database = await freshDatabase('empty');
    await database.query(`create table e (id int primary key) partition by range (id);
      create table e1 partition of e for values from (1) to (10)`);
    const config = configOf(database, '{ public.e: { entity: e } }');
    await prepared(database, config);
    await database.query('create table e2 partition of e for values from (10) to (20)');
    const { remarks } = await check(database, config);
    expect(remarks[0]).toBe(
      'Previous values of public.e2 are unknown until waltrail apply gives them replica identity full.',
    );
  });

  test('a role that may not replicate is refused, and one that may not read names is told what to be granted', async () => {
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
    // The run's server can serve, so what it says of itself is changed.
    const changed = { ...catalog, server: { ...catalog.server, ...server } };
    expect(() => preflight({ config, catalog: changed })).toThrow(expect.objectContaining({ code }));
  });

  test('full slots are no problem once the slot is ours', async () => {
    await using database = await freshDatabase('empty');
    await database.query(TABLES);
    const config = configOf(database);
    await prepared(database, config);
    await database.query(`select pg_create_logical_replication_slot('${database.name}', 'pgoutput')`);
    const client = await connect({ url: database.url, purpose: 'test' });
    const catalog = await readCatalog(client).finally(() => client.end());
    preflight({
      config,
      catalog: { ...catalog, server: { ...catalog.server, maxSlots: catalog.slots.length } },
    });
  });

  test('a publication that holds the trail is refused, for the trail would audit itself, and apply takes it out', async () => {
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
