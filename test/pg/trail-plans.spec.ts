import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import type pg from 'pg';
import { connect } from '../../src/pg/connect.js';
import { isWornOut, queryPlanned } from '../../src/trail/plans.js';
import { TrailReader } from '../../src/trail/read.js';
import { openTrailPool } from '../../src/trail/roles.js';
import { freshDatabase, type TestDatabase } from '../support/database.ts';
import { seedTrail } from '../support/trail-data.ts';

let database: TestDatabase;

beforeAll(async () => {
  database = await freshDatabase('trail');
});

afterAll(async () => {
  await database?.[Symbol.asyncDispose]();
});

/** Statements that the session holds, with how often each was run by a plan that knows no values. */
async function plansOf(client: pg.ClientBase): Promise<{ statement: string; generic: number }[]> {
  const { rows } = await client.query<{ statement: string; generic: number }>(
    'select statement, generic_plans::int4 as generic from pg_prepared_statements where from_sql = false',
  );
  return rows;
}

describe('statements whose plans are kept', () => {
  let client: pg.Client;
  beforeEach(async () => {
    client = await connect({ url: database.url, purpose: 'test' });
  });
  afterEach(() => client.end());

  test('a statement that comes again is not planned again', async () => {
    await client.query('set plan_cache_mode = force_generic_plan');
    for (const value of [1, 2, 3]) {
      const { rows } = await queryPlanned(client, 'select $1::int4 + 1 as sum', [value]);
      expect(rows).toEqual([{ sum: value + 1 }]);
    }
    expect(await plansOf(client)).toEqual([{ statement: 'select $1::int4 + 1 as sum', generic: 3 }]);
  });

  test('of many statements the connection keeps those that were used last', async () => {
    const often = 'select 0 as n where $1::bool';
    for (let n = 1; n <= 300; n++) {
      await queryPlanned(client, `select ${n} as n where $1::bool`, [true]);
      expect((await queryPlanned(client, often, [true])).rows).toEqual([{ n: 0 }]);
    }
    const kept = (await plansOf(client)).map(({ statement }) => statement);
    expect(kept).toHaveLength(120);
    expect(kept).toContain(often);
    expect(kept).toContain('select 300 as n where $1::bool');
    expect(kept).not.toContain('select 1 as n where $1::bool');
    // One that was pushed out is prepared anew.
    expect((await queryPlanned(client, 'select 1 as n where $1::bool', [true])).rows).toEqual([{ n: 1 }]);
  });

  test('a statement that fails leaves nothing behind that a later one stumbles over', async () => {
    await expect(queryPlanned(client, 'select nothing from nowhere where $1::bool', [true])).rejects.toThrow(
      'nowhere',
    );
    for (let n = 1; n <= 130; n++) await queryPlanned(client, `select ${n} where $1::bool`, [true]);
    await expect(queryPlanned(client, 'select 1 / $1::int4 as n', [0])).rejects.toThrow('division');
    expect((await queryPlanned(client, 'select 1 / $1::int4 as n', [1])).rows).toEqual([{ n: 1 }]);
  });

  test('a connection has served its time when it has made thousands of plans', async () => {
    expect(isWornOut(client)).toBe(false);
    for (let n = 0; n < 2_000; n++) await queryPlanned(client, `select ${n} where $1::bool`, [true]);
    expect(isWornOut(client)).toBe(true);
  });
});

describe('pages', () => {
  test('the second page of a filter is read by the plans of the first, whatever its values and range', async () => {
    await seedTrail({ url: database.url, entries: 3_000 });
    const pool = openTrailPool({ url: database.url, purpose: 'test', role: 'waltrail_reader', max: 1 });
    try {
      const reader = new TrailReader({ pool });
      const range = { from: '2026-01-01T00:00:00Z', to: '2100-01-01T00:00:00Z' };
      await reader.page({ actions: ['edit'], tenant: '1', ...range }, { limit: 50 });
      const client = await pool.connect();
      const first = await plansOf(client);
      client.release();
      expect(first.length).toBeGreaterThan(0);
      await reader.page(
        { actions: ['add'], tenant: '2', ...range, from: '2026-02-02T00:00:00Z' },
        { limit: 20 },
      );
      const again = await pool.connect();
      const second = await plansOf(again);
      again.release();
      expect(second.map(({ statement }) => statement).sort()).toEqual(
        first.map(({ statement }) => statement).sort(),
      );
      expect(Math.min(...second.map(({ generic }) => generic))).toBeGreaterThan(0);
    } finally {
      await pool.end();
    }
  });
});
