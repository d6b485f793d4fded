import { describe, expect, test } from '@jest/globals';
import pg from 'pg';
import { openQueue } from '../../src/exports/queue.js';
import { openPostgresSession } from '../../src/exports/queue-session.js';
import { silentLog } from '../../src/log.js';
import { close, connect, createPool, openPinned } from '../../src/pg/connect.js';
import { pinSearchPath } from '../../src/pg/pin.js';
import { replicationClientConfig } from '../../src/source/connection-settings.js';
import { migrateTrail } from '../../src/trail/migrate.js';
import { freshDatabase, type TestDatabase } from '../support/database.ts';
import { until } from '../support/until.ts';

/** A database with a search_path of its own, and with another one in the URL, as for another client. */
async function spoiledDatabase(): Promise<TestDatabase & { readonly spoiled: string }> {
  const database = await freshDatabase('empty');
  await database.query(`alter database ${database.name} set search_path = public, pg_catalog`);
  const options = '-c search_path=public -c DateStyle=German -c work_mem=12MB';
  return Object.assign(database, { spoiled: `${database.url}?options=${encodeURIComponent(options)}` });
}

const show = async (client: pg.ClientBase, setting: string): Promise<unknown> =>
  Object.values((await client.query<Record<string, unknown>>(`show ${setting}`)).rows[0]!)[0];

describe('the search_path of a connection', () => {
  test('is pinned whatever URL and database state, and other options of the URL still apply', async () => {
    await using database = await spoiledDatabase();
    const client = await connect({ url: database.spoiled, purpose: 'test' });
    expect(await show(client, 'search_path')).toBe('pg_catalog, pg_temp');
    expect(await show(client, 'work_mem')).toBe('12MB');
    await close(client);
  });

  test('is pinned in a pool before the connection is prepared for its use', async () => {
    await using database = await spoiledDatabase();
    const seen: unknown[] = [];
    const pool = createPool({
      url: database.spoiled,
      purpose: 'test',
      max: 1,
      onConnect: async (client) => seen.push(await show(client, 'search_path')),
    });
    await pool.query('select 1');
    await pool.end();
    expect(seen).toEqual(['pg_catalog, pg_temp']);
  });

  test('is pinned on a replication connection before its first statement, with how values are printed', async () => {
    await using database = await spoiledDatabase();
    const { options } = replicationClientConfig(database.spoiled);
    expect(options).toMatch(/search_path=public .* -c search_path=pg_catalog,pg_temp /);
    // Without the statement, so that the options show.
    const bare = new pg.Client(replicationClientConfig(database.spoiled));
    await bare.connect();
    expect(await show(bare, 'search_path')).toBe('pg_catalog,pg_temp');
    await bare.end();
    const client = await openPinned(replicationClientConfig(database.spoiled), { url: database.spoiled });
    expect(await show(client, 'search_path')).toBe('pg_catalog, pg_temp');
    expect(await show(client, 'DateStyle')).toMatch(/^ISO/);
    expect(await show(client, 'work_mem')).toBe('12MB');
    await close(client);
  });

  test('is pinned where the database quotes every name', async () => {
    await using database = await spoiledDatabase();
    await database.query(`alter database ${database.name} set quote_all_identifiers = on`);
    await close(await connect({ url: database.spoiled, purpose: 'test' }));
  });

  test('is refused when it differs from the one just set, as behind a pooler that shares sessions', async () => {
    const statements: string[] = [];
    const pooled = {
      query: (sql: string) => {
        statements.push(sql);
        return Promise.resolve({ rows: [{ search_path: '"$user", public' }] });
      },
    } as unknown as pg.ClientBase;
    await expect(pinSearchPath(pooled, { database: 'db.example:6432/crm' })).rejects.toMatchObject({
      code: 'PG_UNPINNED',
      message: expect.stringContaining('db.example:6432/crm'),
    });
    expect(statements).toEqual(['set search_path = pg_catalog, pg_temp', 'show search_path']);
  });

  test("is the queue's own schema for the queue, whatever the URL states", async () => {
    await using database = await spoiledDatabase();
    const settings = { redisUrl: undefined, source: 'test', log: silentLog };
    const queue = openQueue({ ...settings, trailUrl: database.spoiled });
    const done: string[] = [];
    const consumer = queue.work({ concurrency: 1, process: (id) => Promise.resolve(void done.push(id)) });
    try {
      await consumer.ready;
      await queue.enqueue('an-export');
      await until('the export to be handed over', () => done.length === 1);
    } finally {
      await queue.close();
    }
    const made = await database.query(
      `select distinct n.nspname as schema from pg_class c join pg_namespace n on n.oid = c.relnamespace
        where n.nspname !~ '^pg_' and n.nspname <> 'information_schema'`,
    );
    expect(made).toEqual([{ schema: 'bullmq' }]);
  });
});

describe('a schema that Waltrail fills', () => {
  test.each(['trail', 'bullmq'])('%s is refused where another role has created it before', async (schema) => {
    await using database = await freshDatabase('empty');
    const role = `${database.name}_role`;
    await database.query(`create role ${role}; create schema ${schema} authorization ${role}`);
    try {
      const open =
        schema === 'trail'
          ? migrateTrail({ url: database.url, log: silentLog })
          : openPostgresSession(database.url);
      await expect(open).rejects.toMatchObject({
        code: 'PG_SCHEMA_FOREIGN',
        message: expect.stringContaining(role),
      });
    } finally {
      await database.query(`drop schema ${schema} cascade; drop role ${role}`);
    }
  });

  test('is accepted when the owner of the database created it for the login that fills it', async () => {
    await using database = await freshDatabase('empty');
    const role = `${database.name}_role`;
    await database.query(`create role ${role} login password 'x'`);
    try {
      await database.query(
        `grant create on database ${database.name} to ${role}; create schema trail authorization ${role}`,
      );
      const url = new URL(database.url);
      url.username = role;
      url.password = 'x';
      await migrateTrail({ url: url.href, log: silentLog });
    } finally {
      await database.query(`drop owned by ${role} cascade; drop role ${role}`);
    }
  });

  test('has no function that looks for names in the temporary schema of its caller', async () => {
    await using trail = await freshDatabase('trail');
    const loose = await trail.query<{ name: string }>(
      `select p.oid::regprocedure::text as name from pg_proc p
        where p.pronamespace = 'trail'::regnamespace and not p.proconfig @> array['search_path=pg_catalog, pg_temp']`,
    );
    expect(loose).toEqual([]);
  });
});
