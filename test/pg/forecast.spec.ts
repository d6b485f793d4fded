import { describe, expect, test } from '@jest/globals';
import pg from 'pg';
import { connect } from '../../src/pg/connect.js';
import { readCatalog } from '../../src/tracking/catalog.js';
import { forecast, type IdentityCost } from '../../src/tracking/forecast.js';
import { planTracking } from '../../src/tracking/plan.js';
import { readStatistics } from '../../src/tracking/statistics.js';
import { freshDatabase, type TestDatabase } from '../support/database.ts';
import { trackingConfig } from '../support/tracking.ts';
import { until } from '../support/until.ts';

/** Runs statements on a separate connection. PostgreSQL reports its counts when the connection ends. */
async function flushed(database: TestDatabase, ...statements: readonly string[]): Promise<void> {
  for (const sql of statements) {
    const client = new pg.Client(database.url);
    await client.connect();
    await client.query(sql);
    await client.end();
  }
}

async function costOf(database: TestDatabase, table: string, url = database.url): Promise<IdentityCost> {
  const config = trackingConfig(database, { tables: `{ public.${table}: { entity: x } }` });
  const client = await connect({ url, purpose: 'test' });
  try {
    const { widened } = planTracking({ config, catalog: await readCatalog(client) });
    const statistics = await readStatistics(
      client,
      widened.flatMap(({ oids }) => oids),
    );
    return forecast(widened, statistics)[0]!;
  } finally {
    await client.end();
  }
}

/**
 * Bytes that a statement adds to the WAL: the smallest of three runs, because other sessions write there,
 * too.
 */
async function walOf(database: TestDatabase, sql: string): Promise<number> {
  const client = new pg.Client(database.url);
  await client.connect();
  try {
    const sizes: number[] = [];
    for (let run = 0; run < 3; run++) {
      const before = await client.query<{ lsn: string }>('select pg_current_wal_insert_lsn() as lsn');
      await client.query(`begin; ${sql}; rollback`);
      const { rows } = await client.query<{ bytes: number }>(
        'select (pg_current_wal_insert_lsn() - $1)::float8 as bytes',
        [before.rows[0]!.lsn],
      );
      sizes.push(rows[0]!.bytes);
    }
    return Math.min(...sizes);
  } finally {
    await client.end();
  }
}

/** Tables of several shapes: the columns after the id, the number of rows, and the values of a row. */
const SHAPES: readonly {
  readonly name: string;
  readonly columns: string;
  readonly values: string;
  readonly rows: number;
}[] = [
  { name: 'narrow', columns: 'x int', values: '0', rows: 2000 },
  {
    name: 'mixed',
    columns: 'x int, flag bool, at timestamptz, amount numeric, title text, big int8',
    values: `0, true, now(), i * 1.25, 'title of row ' || i, i`,
    rows: 2000,
  },
  {
    name: 'wide',
    columns: 'x int, a text, b text, c text',
    values: `0, repeat('a', 300), repeat('b', 20), md5(i::text) || md5((i + 1)::text) || md5((i + 2)::text) || md5((i + 3)::text) || md5((i + 4)::text)`,
    rows: 1000,
  },
  {
    name: 'nulls',
    columns: `x int, ${Array.from({ length: 20 }, (_, n) => `c${n} int8`).join(', ')}`,
    values: `0, ${Array.from({ length: 20 }, (_, n) => `case when i % 10 = ${n % 10} then i end`).join(', ')}`,
    rows: 2000,
  },
  {
    name: 'compressed inline',
    columns: 'x int, body text',
    values: `0, repeat('lorem ipsum ' || i, 400)`,
    rows: 500,
  },
  {
    name: 'external compressed',
    columns: 'x int, body text',
    values: `0, (select string_agg(md5((i * 1000 + n / 2)::text), ' ') from generate_series(1, 1000) n)`,
    rows: 200,
  },
  {
    name: 'external',
    columns: 'x int, body bytea',
    values: `0, (select string_agg(sha256((i * 1000 + n)::text::bytea), '') from generate_series(1, 1500) n)`,
    rows: 100,
  },
  {
    name: 'just external',
    columns: 'x int, body bytea',
    values: `0, (select string_agg(sha256((i * 1000 + n)::text::bytea), '') from generate_series(1, 66) n)`,
    rows: 400,
  },
  { name: 'eight rows', columns: 'x int, name text', values: `0, 'status ' || i`, rows: 8 },
];

describe('the forecast of full identity', () => {
  test.each(SHAPES)(
    'is within 25 % of the WAL that is written: $name, analyzed and not vacuumed',
    async ({ columns, values, rows }) => {
      await using database = await freshDatabase('empty');
      await flushed(
        database,
        `create table t (id int primary key, ${columns}) with (autovacuum_enabled = false);
         insert into t select i, ${values} from generate_series(1, ${rows}) i`,
        'analyze t',
      );
      const cost = await untilKnown(database, 't');
      const update = 'update t set x = x + 1';
      const removal = 'delete from t';
      const narrow = [await walOf(database, update), await walOf(database, removal)];
      await database.query('alter table t replica identity full');
      const full = [await walOf(database, update), await walOf(database, removal)];
      const [measured, deleted] = full.map((bytes, index) => (bytes - narrow[index]!) / rows);
      expect(cost.rowBytes! / measured!).toBeGreaterThan(0.75);
      expect(cost.rowBytes! / measured!).toBeLessThan(1.25);
      // The key of a deleted row is in the WAL anyway. For the narrowest rows that is most of it.
      expect(deleted!).toBeLessThanOrEqual(measured! + 8);
    },
  );

  test('knows what updates and deletes of the window would have added, and computes no day from minutes', async () => {
    await using database = await freshDatabase('empty');
    await flushed(
      database,
      `create table t (id int primary key, x int, body text) with (autovacuum_enabled = false);
       insert into t select i, 0, repeat('x', 100) from generate_series(1, 1000) i;
       update t set x = 1 where id <= 100; delete from t where id > 990`,
      'analyze t',
    );
    const cost = await untilKnown(database, 't');
    await until('changes to be counted', async () => (await costOf(database, 't')).changes === 110);
    const { windowSeconds, changesPerDay, walBytesPerDay, walBytes, rowBytes } = await costOf(database, 't');
    expect(windowSeconds).toBeGreaterThan(0);
    expect(windowSeconds).toBeLessThan(86_400);
    expect([changesPerDay, walBytesPerDay]).toEqual([null, null]);
    expect(walBytes).toBeGreaterThan(100 * rowBytes!);
    expect(walBytes).toBeLessThan(110 * rowBytes!);
    expect(cost.unknown).toBeNull();
  });

  describe('the forecast of full identity is unknown, with the reason,', () => {
    const create = `create table t (id int primary key, body bytea) with (autovacuum_enabled = false);`;
    const fill = `insert into t select i, (select string_agg(sha256((i * 1000 + n)::text::bytea), '') from generate_series(1, 100) n) from generate_series(1, 200) i;`;

    test('for a table without rows, or one that was never analyzed', async () => {
      await using database = await freshDatabase('empty');
      await flushed(database, create);
      expect(await costOf(database, 't')).toMatchObject({ rowBytes: null, unknown: 'no rows yet' });
      await flushed(database, fill);
      await until('rows to be counted', async () => (await costOf(database, 't')).unknown !== 'no rows yet');
      expect(await costOf(database, 't')).toMatchObject({
        rowBytes: null,
        walBytes: null,
        unknown: 'not analyzed yet: run analyze',
      });
    });

    test('for a table that has changed much since it was analyzed', async () => {
      await using database = await freshDatabase('empty');
      await flushed(database, `${create} ${fill}`, 'analyze t');
      await untilKnown(database, 't');
      await flushed(database, `insert into t select i, 'x' from generate_series(1001, 2000) i`);
      await until('rows to be counted', async () => (await costOf(database, 't')).unknown !== null);
      expect(await costOf(database, 't')).toMatchObject({
        unknown: 'much has changed since it was analyzed: run analyze',
      });
    });

    test('for a table whose large values are rewritten and leave free room that cannot be distinguished from data', async () => {
      await using database = await freshDatabase('empty');
      await flushed(
        database,
        `${create} ${fill} update t set body = body || '\\x00' where id <= 100`,
        'analyze t',
      );
      await until(
        'rows to be counted',
        async () => (await costOf(database, 't')).unknown?.startsWith('its large') === true,
      );
      expect(await costOf(database, 't')).toMatchObject({
        rowBytes: null,
        unknown: 'its large values change and leave free space of unknown size',
      });
    });

    test('for a locked table, without waiting for it; and for a table that the role may not read', async () => {
      await using database = await freshDatabase('empty');
      await flushed(
        database,
        `${create} ${fill} create role r_${database.name} login password 'x'`,
        'analyze t',
      );
      await untilKnown(database, 't');
      const url = Object.assign(new URL(database.url), { username: `r_${database.name}`, password: 'x' });
      expect(await costOf(database, 't', url.href)).toMatchObject({
        unknown: 'this role may not read its statistics: run plan as the owner',
      });
      await database.query(`drop role r_${database.name}`);
      const holder = new pg.Client(database.url);
      await holder.connect();
      try {
        await holder.query('begin; truncate t');
        const began = performance.now();
        const { unknown } = await costOf(database, 't');
        expect(performance.now() - began).toBeLessThan(5_000);
        expect(unknown).toBe('it is locked now: run plan again');
      } finally {
        await holder.end();
      }
    });
  });
});

async function untilKnown(database: TestDatabase, table: string): Promise<IdentityCost> {
  let cost = await costOf(database, table);
  await until('the statistics', async () => {
    cost = await costOf(database, table);
    return cost.unknown === null;
  }).catch((error: unknown) => {
    throw new Error(`unknown: ${cost.unknown}`, { cause: error });
  });
  return cost;
}
