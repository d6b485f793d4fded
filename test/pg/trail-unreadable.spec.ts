import { readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from '@jest/globals';
import pg from 'pg';
import { LiveFeed } from '../../src/admin/stream/live.js';
import { silentLog } from '../../src/log.js';
import { entryToJson } from '../../src/trail/read/json.js';
import { TrailReader } from '../../src/trail/read/trail-reader.js';
import { walkedEntries } from '../support/entries.ts';
import { freshDatabase, type TestDatabase } from '../support/database.ts';
import { ALL, ADMIN, exportGround, SEEDED_FROM, SEEDED_TO } from '../support/exports.ts';
import { seedTrail } from '../support/trail-data.ts';
import { until } from '../support/until.ts';
import { openWriter } from '../support/writer.ts';

const SQL = path.resolve(import.meta.dirname, '../../sql/trail');

/** What earlier releases have stored with the values of an entry, and how a reader shows its context. */
const EXTRAS: readonly (readonly [extra: string, context: unknown])[] = [
  ['{"context":{"ua":"x \\ud83d"}}', '{"ua":"x \\ud83d"}'],
  ['{"context":{"ua":"\\u0000"},"origin":"east"}', { ua: '\0' }],
  [`{"context":${'['.repeat(7_000)}${']'.repeat(7_000)}}`, `${'['.repeat(7_000)}${']'.repeat(7_000)}`],
  ['{"context":{"n":1e400000}}', { n: Infinity }],
  ['{"context":', '{"context":'],
  ['{"context":"\\ud800","origin":"\\udfff"}', '"\\ud800"'],
];

/**
 * Makes a trail as an earlier release could have left it: some entries could not be read. Returns the ids of
 * those.
 */
async function spoil(trail: TestDatabase): Promise<string[]> {
  const ids: string[] = [];
  for (const [index, [extra]] of EXTRAS.entries()) {
    const [row] = await trail.query<{ id: string }>(
      `update trail.entry set extra = $1 where id = (select id from trail.entry order by id desc offset $2 limit 1) returning id::text`,
      [extra, 3 + 5 * index],
    );
    ids.push(row!.id);
  }
  return ids;
}

const RANGE = { from: SEEDED_FROM.toISOString(), to: SEEDED_TO.toISOString() };

describe('entries that earlier releases could store and not read', () => {
  test('are shown unchanged by pages, histories, searches, walks, live lists and SQL, together with the others', async () => {
    await using trail = await freshDatabase('trail');
    await seedTrail({ url: trail.url, entries: 2_000, from: SEEDED_FROM, to: SEEDED_TO });
    const ids = await spoil(trail);
    const pool = new pg.Pool({ connectionString: trail.url, max: 4 });
    try {
      const reader = new TrailReader({ pool });
      const { items } = await reader.page(RANGE, { limit: 500 });
      expect(items).toHaveLength(500);
      for (const [index, id] of ids.entries()) {
        const shown = items.find((entry) => entry.id === id)!;
        const json = JSON.parse(entryToJson(shown)) as {
          context: unknown;
          committedAt: string;
          table: string;
        };
        expect(json.context).toEqual(EXTRAS[index]![1]);
        expect(json.table).toMatch(/^public\./);
        expect(await reader.entry(id)).toEqual(shown);
        const { type, id: entity } = shown.entity;
        const history = await reader.history({ type, id: entity!, limit: 500 });
        expect(history.items.map((entry) => entry.id)).toContain(id);
      }
      expect(items.find(({ id }) => id === ids[1])!.transaction.origin).toBe('east');
      const found = await reader.page({ ...RANGE, q: 'a' }, { limit: 500 });
      expect(found.items.length).toBeGreaterThan(100);
      expect((await walkedEntries(reader, RANGE)).map(entryToJson)).toHaveLength(2_000);
      const live: string[] = [];
      const feed = new LiveFeed({ trail: reader, catchUp: reader, log: silentLog });
      await feed.listen({
        owner: 'one',
        filter: {},
        resume: { after: String(BigInt(ids.at(-1)!) - 10n), asOfMs: 0 },
        ready: () => true,
        deliver: (entry) => live.push(entryToJson(entry)),
        reached: () => undefined,
      });
      await until('the live list to show all', () => live.length >= 38);
      await feed.close();
    } finally {
      await pool.end();
    }
    const readable = await trail.query<{ id: string; context: unknown }>(
      `select id::text, context::text from trail.readable where context is not null order by id desc`,
    );
    const shown = new Map(readable.map(({ id, context }) => [id, context as string]));
    expect(shown.get(ids[0]!)).toBe(
      JSON.stringify({ '(unreadable)': EXTRAS[0]![0] }).replace('":"', '" : "'),
    );
    expect(ids.every((id) => shown.has(id))).toBe(true);
  });

  test('are in exports of every format', async () => {
    await using ground = await exportGround({ backend: 'postgres', entries: 300 });
    const ids = await spoil(ground.db);
    await ground.startWorker();
    for (const format of ['ndjson', 'csv', 'xlsx'] as const) {
      const {
        export: { id },
      } = await ground.exports.create({ ...ALL, format }, { requester: ADMIN });
      expect((await ground.finished(id)).state).toBe('ready');
      const file = await ground.download(id);
      if (format !== 'ndjson') continue;
      const lines = file
        .toString()
        .split('\n')
        .slice(0, -1)
        .map((line) => JSON.parse(line) as { id: string; context: unknown });
      expect(lines).toHaveLength(300);
      for (const [index, spoiled] of ids.entries())
        expect(lines.find((line) => line.id === spoiled)!.context).toEqual(EXTRAS[index]![1]);
    }
  });
});

describe('infinite commit times that earlier releases stored', () => {
  test('stop neither a start nor a page, and are counted where a filter includes them', async () => {
    await using trail = await freshDatabase('trail');
    await seedTrail({ url: trail.url, entries: 40_000, from: SEEDED_FROM, to: SEEDED_TO });
    // In a complete chunk, with its summary as the writer made it, and in the open one.
    await trail.query(
      `update trail.entry set committed_at = case when id / 1000 % 2 = 0 then 'infinity'::timestamptz else '-infinity' end where id % 1000 = 7`,
    );
    await trail.query(`update trail.entry set committed_at = '294276-12-31 23:59:59+00' where id % 1000 = 8`);
    await trail.query(
      `update trail.entry set committed_at = '4713-01-01 00:00:00+00 BC' where id % 1000 = 9`,
    );
    await trail.query(`
      update trail.chunk c set first_committed_at = e.least, last_committed_at = e.greatest
        from (select id >> 14 as chunk, min(committed_at) as least, max(committed_at) as greatest from trail.entry group by 1) e
       where e.chunk = c.chunk`);
    await trail.query('delete from trail.block; delete from trail.block_value; select trail.roll_up(10)');
    const pool = new pg.Pool({ connectionString: trail.url, max: 4 });
    try {
      const reader = new TrailReader({ pool });
      for (const range of [RANGE, { from: '2026-10-24T00:00:00Z', to: '2026-10-25T07:00:00Z' }]) {
        const [counted] = await trail.query<{ entries: number; actions: Record<string, number> }>(
          `select sum(entries)::int as entries, jsonb_object_agg(name, entries) as actions
             from (select a.name, count(*)::int as entries from trail.entry e join trail.action a on a.id = e.action_id
                    where committed_at >= $1 and committed_at < $2 group by 1) x`,
          [range.from, range.to],
        );
        const facets = await reader.facets(range);
        expect(Object.fromEntries(facets.actions.map(({ value, count }) => [value, count]))).toEqual(
          counted!.actions,
        );
        const { nextId } = await reader.head();
        expect(await reader.count(range, { below: nextId })).toBe(counted!.entries);
        expect((await reader.page(range, { limit: 100 })).items).toHaveLength(100);
        const [tenant] = facets.tenants;
        expect(await reader.count({ ...range, tenant: tenant!.value }, { below: nextId })).toBe(
          tenant!.count,
        );
      }
      const [spoiled] = await trail.query<{ id: string }>(
        `select id::text from trail.entry where committed_at = 'infinity' limit 1`,
      );
      expect((await reader.entry(spoiled!.id))!.committedAt).toBe('infinity');
    } finally {
      await pool.end();
    }
    // As earlier code left it, which could not start with it, and how the migration repairs that.
    await trail.query(`update trail.checkpoint set source = 'test', last_committed_at = 'infinity'`);
    const migration = readFileSync(path.join(SQL, '0010_unreadable.sql'), 'utf8');
    await trail.query(/^update trail\.checkpoint$[^;]+;/m.exec(migration)![0]);
    const [checkpoint] = await trail.query<{ at: Date; newest: Date }>(
      `select last_committed_at as at,
              (select committed_at from trail.entry where committed_at between '2026-01-01' and '2027-01-01' order by id desc limit 1) as newest
         from trail.checkpoint`,
    );
    expect(checkpoint!.at).toEqual(checkpoint!.newest);
    const writer = await openWriter(trail);
    expect(writer.lastCommittedAt).not.toBeNull();
    await writer.close();
  });
});
