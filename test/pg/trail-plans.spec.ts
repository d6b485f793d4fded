import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import type pg from 'pg';
import { connect } from '../../src/pg/connect.js';
import { MAX_ENTRY_ID } from '../../src/trail/entry-id.js';
import { ReaderDictionaries } from '../../src/trail/read/dictionaries.js';
import type { EntryFilter } from '../../src/trail/read/entry.js';
import { storedFilter } from '../../src/trail/read/filter.js';
import { isWornOut, queryPlanned } from '../../src/trail/read/plans.js';
import { TrailReader } from '../../src/trail/read/trail-reader.js';
import { openTrailPool } from '../../src/trail/roles.js';
import { withSnapshot } from '../../src/trail/read/snapshot.js';
import { walkEntries } from '../../src/trail/read/walk.js';
import { walkedEntries } from '../support/entries.ts';
import { freshDatabase, type TestDatabase } from '../support/database.ts';
import { expectAgreement, ids } from '../support/trail-agreement.ts';
import { seedTrail } from '../support/trail-data.ts';
import { matching, readPlainEntries, type PlainEntry } from '../support/trail-oracle.ts';

let database: TestDatabase;

beforeAll(async () => {
  database = await freshDatabase('trail');
});

afterAll(async () => {
  await database?.[Symbol.asyncDispose]();
});

/** Statements that the session holds, with the number of runs of each by a generic plan. */
async function plansOf(client: pg.ClientBase): Promise<{ statement: string; generic: number }[]> {
  const { rows } = await client.query<{ statement: string; generic: number }>(
    'select statement, generic_plans::int4 as generic from pg_prepared_statements where from_sql = false',
  );
  return rows;
}

describe('statements with stored plans', () => {
  let client: pg.Client;
  beforeEach(async () => {
    client = await connect({ url: database.url, purpose: 'test' });
  });
  afterEach(() => client.end());

  test('a repeated statement is not planned again', async () => {
    await client.query('set plan_cache_mode = force_generic_plan');
    for (const value of [1, 2, 3]) {
      const { rows } = await queryPlanned(client, 'select $1::int4 + 1 as sum', [value]);
      expect(rows).toEqual([{ sum: value + 1 }]);
    }
    expect(await plansOf(client)).toEqual([{ statement: 'select $1::int4 + 1 as sum', generic: 3 }]);
  });

  test('the connection keeps the plans of the 120 statements that were used last', async () => {
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
    // A statement that was dropped is prepared again.
    expect((await queryPlanned(client, 'select 1 as n where $1::bool', [true])).rows).toEqual([{ n: 1 }]);
  });

  test.each([
    ['before it is prepared', 'select nothing from nowhere where $1::bool', true],
    ['when it runs', 'select 1 / $1::int4', 0],
  ])(
    'a statement that fails %s retires its connection, and with it what the statement left on the server',
    async (_, text, value) => {
      expect(isWornOut(client)).toBe(false);
      await expect(queryPlanned(client, text, [value])).rejects.toThrow();
      expect(isWornOut(client)).toBe(true);
    },
  );

  test('a connection is retired when it has made thousands of plans', async () => {
    expect(isWornOut(client)).toBe(false);
    for (let n = 0; n < 2_000; n++) await queryPlanned(client, `select ${n} where $1::bool`, [true]);
    expect(isWornOut(client)).toBe(true);
  });
});

describe('pages', () => {
  const FROM = new Date('2026-10-11T00:00:00Z');
  const TO = new Date('2026-11-20T12:00:00Z');
  const ALWAYS = { from: '2026-01-01T00:00:00Z', to: '2100-01-01T00:00:00Z' };
  let pool: pg.Pool;
  let reader: TrailReader;
  let all: PlainEntry[];

  beforeAll(async () => {
    // 41 days: complete and incomplete groups of eight, and days with and without stored plans.
    await seedTrail({ url: database.url, entries: 6_000, from: FROM, to: TO });
    pool = openTrailPool({ url: database.url, purpose: 'test', role: 'waltrail_reader', max: 1 });
    reader = new TrailReader({ pool });
    all = await readPlainEntries(database);
  });
  afterAll(() => pool?.end());

  /** Runs `look` on the connection of the reader. */
  async function onConnection<T>(look: (client: pg.PoolClient) => Promise<T>): Promise<T> {
    const client = await pool.connect();
    return look(client).finally(() => client.release());
  }

  test.each<Partial<EntryFilter>>([
    {},
    { entity: '3' },
    { actions: ['merge'] },
    { modifiers: ['1', '15'], tenant: '2' },
    { entityTypes: ['team'], q: 'name' },
    { from: '2026-10-29T05:00:00Z', to: '2026-11-12T21:00:00Z', modifiers: ['1'] },
  ])('over forty days equal those of a plain reading: %j', async (filter) => {
    const whole = { ...ALWAYS, ...filter };
    await expectAgreement({ reader, all }, whole, { facets: filter.q === undefined });
    const found = ids(matching(all, whole));
    expect(ids(await walkedEntries(reader, whole))).toEqual(found);
    if (filter.from !== undefined) return;
    const oldestFirst: string[] = [];
    for (let after = '0', more = true; more; after = oldestFirst.at(-1) ?? after) {
      const batch = await reader.after(filter, { id: after, limit: 70 });
      oldestFirst.push(...ids(batch.items));
      more = batch.more;
    }
    expect(oldestFirst).toEqual(found.toReversed());
  });

  test('are read by the same plans for a filter, whatever its values and range', async () => {
    await reader.page({ actions: ['edit'], tenant: '1', ...ALWAYS }, { limit: 50 });
    const statements = async () =>
      (await onConnection(plansOf)).filter(({ statement }) => statement.includes('tenant_id'));
    const first = await statements();
    expect(first.some(({ statement }) => statement.includes('from trail.entry'))).toBe(true);
    await reader.page(
      { actions: ['add'], tenant: '2', ...ALWAYS, from: '2026-02-02T00:00:00Z' },
      { limit: 20 },
    );
    const second = await statements();
    expect(second.map(({ statement }) => statement)).toEqual(first.map(({ statement }) => statement));
    for (const [index, { generic }] of second.entries())
      expect(generic).toBeGreaterThanOrEqual(first[index]!.generic);
  });

  test('are read again on another connection when they took too long', async () => {
    const backend = () =>
      onConnection(
        async (client) =>
          (await client.query<{ pid: number }>('select pg_backend_pid() as pid')).rows[0]!.pid,
      );
    const before = await backend();
    const impatient = new TrailReader({ pool, statementTimeoutMs: 300 });
    const blocker = await connect({ url: database.url, purpose: 'test' });
    await blocker.query('begin; lock table trail.entry');
    try {
      await expect(impatient.page({ ...ALWAYS, actions: ['add'] }, { limit: 50 })).rejects.toMatchObject({
        code: 'TRAIL_QUERY_TIMEOUT',
      });
    } finally {
      await blocker.end();
    }
    expect(await backend()).not.toBe(before);
  });

  test('open the partitions of eight days at a time, and no others', async () => {
    const dictionaries = new ReaderDictionaries();
    const opened = (limit: number, filter: Partial<EntryFilter>) =>
      withSnapshot(
        { pool, dictionaries, timeoutMs: 5_000, plans: 'kept', turns: (work) => work() },
        async (snapshot) => {
          const stored = (await storedFilter(filter, snapshot))!;
          await walkEntries(snapshot, {
            filter: stored,
            above: 0n,
            below: MAX_ENTRY_ID,
            order: 'desc',
            limit,
          });
          const { rows } = await snapshot.client.query<{ name: string }>(
            `select distinct c.relname as name from pg_locks l join pg_class c on c.oid = l.relation
            where l.pid = pg_backend_pid() and c.relname ~ '^entry_[0-9]{4}(_[0-9]{2}){2}$' order by 1 desc`,
          );
          return rows.map(({ name }) => name);
        },
      );
    // Planned once, and then with the stored plan.
    for (let time = 0; time < 2; time++) {
      // The group of eight days that begins with the 17th has entries on four days.
      const newest = ['20', '19', '18', '17'].map((day) => `entry_2026_11_${day}`);
      expect(await opened(3, { actions: ['edit'] })).toEqual(newest);
      expect(await opened(300, { actions: ['edit'], from: '2026-11-18T00:00:00Z' })).toEqual(newest);
      // A text is searched for day by day.
      expect(await opened(3, { actions: ['edit'], q: 'e' })).toEqual(newest.slice(0, 1));
    }
  });
});
