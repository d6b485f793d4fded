import { describe, expect, test } from '@jest/globals';
import { createLog, silentLog } from '../../src/log.js';
import { startHousekeeping } from '../../src/trail/housekeeping.js';
import { TrailReader } from '../../src/trail/read/trail-reader.js';
import { openTrailPool } from '../../src/trail/roles.js';
import { freshDatabase, type TestDatabase } from '../support/database.ts';
import { indexTrail, seedTrail } from '../support/trail-data.ts';
import { until } from '../support/until.ts';

const DAY_MS = 86_400_000;
const BLOCK = 65_536;
const CHUNK = 16_384;

async function count(database: TestDatabase, sql: string): Promise<number> {
  const [row] = await database.query<{ count: number }>(`select count(*)::int as count from ${sql}`);
  return row!.count;
}

const PARTITIONS = `pg_inherits where inhparent = 'trail.entry'::regclass`;

describe('housekeeping', () => {
  test('summarises full blocks and the last block of a finished day, and never the open one', async () => {
    await using database = await freshDatabase('trail');
    // Yesterday and today, each with a full block and a part of one.
    const midnight = Math.floor(Date.now() / DAY_MS) * DAY_MS;
    await seedTrail({
      url: database.url,
      entries: 140_000,
      from: new Date(midnight - DAY_MS),
      to: new Date(midnight + DAY_MS),
      index: false,
    });
    await indexTrail(database.url, { rollUp: false });
    const housekeeping = startHousekeeping({
      url: database.url,
      log: silentLog,
      retentionDays: () => null,
      intervalMs: 50,
    });
    try {
      await until('three blocks', async () => (await count(database, 'trail.block')) === 3, 15_000);
    } finally {
      await housekeeping.stop();
    }
    const blocks = await database.query<{ day: number; entries: number; right: boolean }>(
      `select b.block >> 16 as day, b.entries, l.right from trail.block b cross join lateral (
         select (b.first_committed_at, b.last_committed_at, b.entries) = (min(committed_at), max(committed_at), count(*)) and
                (select array_agg(n order by v) from (select modifier_id v, count(*)::int4 n from trail.entry where id >> 16 = b.block group by 1) x) = b.modifier_counts and
                (select array_agg(v order by v) from (select distinct tenant_id v from trail.entry where id >> 16 = b.block) x) = b.tenants and
                (select sum(n) from unnest(b.action_counts) n) = b.entries and (select sum(n) from unnest(b.entity_type_counts) n) = b.entries as right
           from trail.entry where id >> 16 = b.block) l order by b.block`,
    );
    const [yesterday] = await database.query<{ day: number; entries: string }>(
      'select day, entries from trail.day',
    );
    expect(blocks).toEqual([
      { day: yesterday!.day, entries: BLOCK, right: true },
      { day: yesterday!.day, entries: Number(yesterday!.entries) - BLOCK, right: true },
      { day: yesterday!.day + 1, entries: BLOCK, right: true },
    ]);
    expect(await database.query('select trail.roll_up(100) as more')).toEqual([{ more: 0 }]);
  });

  test('summarises a block for each action and type, and for modifiers and tenants with 64 entries or more', async () => {
    await using database = await freshDatabase('trail');
    const to = new Date(Math.floor(Date.now() / DAY_MS) * DAY_MS);
    const from = new Date(to.getTime() - DAY_MS);
    await seedTrail({ url: database.url, entries: BLOCK + CHUNK, from, to });
    const columns = { m: 'modifier_id', t: 'entity_type_id', a: 'action_id', n: 'tenant_id' };
    const lists = { m: 'modifier', t: 'entity_type', a: 'action', n: 'tenant' };
    for (const [letter, column] of Object.entries(columns)) {
      const least = letter === 'm' || letter === 'n' ? 64 : 1;
      for (const [of, other] of Object.entries(columns)) {
        const list = lists[of as keyof typeof lists];
        const summary = await database.query<{ key: number; value: number; entries: number }>(
          `select value as key, x.id as value, x.n as entries
             from trail.block_value, unnest(${list}s, ${list}_counts) x (id, n) where dimension = '${letter}' order by 1, 2`,
        );
        const counted = await database.query(
          `select key, value, count(*)::int4 as entries
             from (select ${column}::int4 as key, ${other}::int4 as value, count(*) over (partition by ${column}) as all
                     from trail.entry where id & 4294967295 < ${BLOCK}) e
            where e.all >= ${least} group by 1, 2 order by 1, 2`,
        );
        expect(summary).toEqual(counted);
        expect(summary.length).toBeGreaterThan(5);
      }
    }
    const [rare] = await database.query<{ modifiers: number; tenants: number }>(
      `select (select count(*)::int4 from (select from trail.entry group by modifier_id having count(*) < 64) x) as modifiers,
              (select count(*)::int4 from (select from trail.entry group by tenant_id having count(*) < 64) x) as tenants`,
    );
    expect(rare!.modifiers).toBeGreaterThan(0);
    expect(rare!.tenants).toBe(1);
  });

  test('creates missing partitions of the next seven days again', async () => {
    await using database = await freshDatabase('trail');
    const before = await count(database, PARTITIONS);
    await database.query(`select trail.drop_before(trail.today() + 5)`);
    expect(await count(database, PARTITIONS)).toBeLessThan(before);
    const housekeeping = startHousekeeping({
      url: database.url,
      log: silentLog,
      retentionDays: () => null,
      intervalMs: 50,
    });
    try {
      await until('partitions', async () => (await count(database, PARTITIONS)) === before, 15_000);
    } finally {
      await housekeeping.stop();
    }
  });

  test('drops entries that are older than the retention with their summaries, and keeps the rest', async () => {
    await using database = await freshDatabase('trail');
    await database.query('update trail.retention_floor set days = 4');
    await seedTrail({
      url: database.url,
      entries: 5_000,
      from: new Date(Date.now() - 9 * DAY_MS),
      to: new Date(),
    });
    const housekeeping = startHousekeeping({
      url: database.url,
      log: silentLog,
      retentionDays: () => 4,
      intervalMs: 50,
    });
    try {
      await until(
        'the end of old entries',
        async () => (await count(database, 'trail.entry where id >> 32 < trail.today() - 4')) === 0,
        15_000,
      );
    } finally {
      await housekeeping.stop();
    }
    const [left] = await database.query<
      Record<'first' | 'days' | 'blocks' | 'chunks' | 'lists' | 'values', number>
    >(
      `select (select min(id >> 32)::int from trail.entry) - trail.today() as first,
              (select min(day) from trail.day where dropped_at is null) - trail.today() as days, (select min(block >> 16) from trail.block) - trail.today() as blocks,
              (select min(chunk >> 18) from trail.chunk) - trail.today() as chunks,
              (select min(chunk >> 18) from trail.posting) - trail.today() as lists, (select count(*)::int4 from trail.block_value where block >> 16 < trail.today() - 4) as values`,
    );
    expect(left).toEqual({ first: -4, days: -4, blocks: -4, chunks: -4, lists: -4, values: 0 });
  });

  test('keeps to the floor of the trail when the YAML asks for less, and reports that once', async () => {
    await using database = await freshDatabase('trail');
    await database.query('update trail.retention_floor set days = 6');
    await seedTrail({
      url: database.url,
      entries: 5_000,
      from: new Date(Date.now() - 9 * DAY_MS),
      to: new Date(),
    });
    await database.query(
      `insert into trail.access (at, action, route, status, address)
       select clock_timestamp() - make_interval(days => days), 'read', days::text, 200, 'x' from generate_series(0, 9) days`,
    );
    const lines: string[] = [];
    const log = createLog({ level: 'warn', destination: { write: (line) => void lines.push(line) } });
    const housekeeping = startHousekeeping({
      url: database.url,
      log,
      retentionDays: () => 3,
      intervalMs: 20,
    });
    try {
      await until(
        'old accesses to be removed',
        async () => (await count(database, 'trail.access')) <= 6,
        15_000,
      );
    } finally {
      await housekeeping.stop();
    }
    const [left] = await database.query(
      `select (select min(id >> 32)::int from trail.entry) - trail.today() as first,
              (select max(route::int) from trail.access) as oldest`,
    );
    expect(left).toEqual({ first: -6, oldest: 5 });
    expect(lines.map((line) => (JSON.parse(line) as { code?: string }).code)).toEqual([
      'TRAIL_RETENTION_FLOOR',
    ]);
  });

  test('drops days before their lists; no facet counts those, and the next round removes them', async () => {
    await using database = await freshDatabase('trail');
    const midnight = Math.floor(Date.now() / DAY_MS) * DAY_MS;
    const range = { from: new Date(midnight - 4 * DAY_MS), to: new Date(midnight + DAY_MS / 2) };
    await seedTrail({ url: database.url, entries: 9_000, ...range });
    await database.query('update trail.retention_floor set days = 2');
    await database.query('select trail.retain_days(2)');
    const days = () => count(database, '(select distinct chunk >> 18 from trail.posting) x');
    expect(await days()).toBe(4);
    const pool = openTrailPool({ url: database.url, purpose: 'test', role: 'waltrail_reader', max: 1 });
    try {
      const { actions } = await new TrailReader({ pool }).facets({
        from: '2026-01-01T00:00:00Z',
        to: '2100-01-01T00:00:00Z',
      });
      expect(actions.reduce((sum, { count: of }) => sum + of, 0)).toBe(await count(database, 'trail.entry'));
    } finally {
      await pool.end();
    }
    const forget = () => database.query<{ left: boolean }>('select trail.forget_dropped() as left');
    expect(await forget()).toEqual([{ left: true }]);
    expect(await days()).toBe(3);
    expect(await forget()).toEqual([{ left: true }]);
    expect(await forget()).toEqual([{ left: false }]);
    expect(await days()).toBe(2);
    expect(await count(database, 'trail.chunk')).toBe(2);
  });

  test("never drops the writer's current day, however old it is", async () => {
    await using database = await freshDatabase('trail');
    await seedTrail({
      url: database.url,
      entries: 3_000,
      from: new Date(Date.now() - 40 * DAY_MS),
      to: new Date(Date.now() - 30 * DAY_MS),
    });
    await database.query('update trail.retention_floor set days = 1');
    await database.query('select trail.retain_days(1)');
    const [left] = await database.query<{ days: number }>(
      'select count(distinct id >> 32)::int as days from trail.entry',
    );
    expect(left!.days).toBe(1);
    await expect(database.query('select trail.retain_days(0)')).rejects.toMatchObject({ code: '22023' });
  });

  test('logs failures without ending, and continues when it can', async () => {
    await using database = await freshDatabase('trail');
    await database.query('alter function trail.roll_up rename to roll_up_gone');
    const lines: string[] = [];
    const log = createLog({
      level: 'error',
      destination: { write: (line: string) => void lines.push(line) },
    });
    const housekeeping = startHousekeeping({
      url: database.url,
      log,
      retentionDays: () => null,
      intervalMs: 20,
    });
    try {
      await until('a line of log', () => lines.length > 0, 15_000);
    } finally {
      await housekeeping.stop();
    }
    expect(JSON.parse(lines[0]!)).toMatchObject({ task: 'summaries', code: '42883' });
  });

  test('reports an unreachable trail and stops when told to', async () => {
    const lines: string[] = [];
    const log = createLog({
      level: 'error',
      destination: { write: (line: string) => void lines.push(line) },
    });
    const housekeeping = startHousekeeping({
      url: 'postgres://u:s3cret@127.0.0.1:1/x',
      log,
      retentionDays: () => 1,
      intervalMs: 20,
    });
    await until('a line of log', () => lines.length > 0, 15_000);
    await housekeeping.stop();
    // A lasting problem is logged once.
    expect(lines).toHaveLength(1);
    expect(JSON.parse(lines[0]!)).toMatchObject({ code: 'PG_UNREACHABLE' });
    expect(lines.join()).not.toContain('s3cret');
  });
});
