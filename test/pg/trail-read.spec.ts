import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type pg from 'pg';
import { createPool } from '../../src/pg/connect.js';
import { openTrailPool } from '../../src/trail/roles.js';
import { NOBODY, type Entry, type EntryFilter, type Values } from '../../src/trail/read/entry.js';
import { TrailReader } from '../../src/trail/read/trail-reader.js';
import { walkedEntries } from '../support/entries.ts';
import { freshDatabase, type TestDatabase } from '../support/database.ts';
import { seedTrail } from '../support/trail-data.ts';
import { expectAgreement, ids } from '../support/trail-agreement.ts';
import { matching, readPlainEntries, type PlainEntry } from '../support/trail-oracle.ts';

const ENTRIES = 140_000;
const TO = new Date('2026-11-20T15:00:00Z');
const FROM = new Date('2026-11-18T09:00:00Z');
const ALWAYS = { from: '2026-01-01T00:00:00Z', to: '2027-01-01T00:00:00Z' };

let database: TestDatabase;
let pool: pg.Pool;
let reader: TrailReader;
let all: PlainEntry[];

beforeAll(async () => {
  database = await freshDatabase('trail');
  await seedTrail({ url: database.url, entries: ENTRIES, from: FROM, to: TO });
  // One has a value that was too large to be stored.
  await database.query(
    `update trail.entry set columns = '!', previous = null, updated = e'\\x1bL66000000 abba\\x1f'
      where id = (select id from trail.entry order by id desc offset 1000 limit 1)`,
  );
  pool = openTrailPool({ url: database.url, purpose: 'test', role: 'waltrail_reader', max: 4 });
  reader = new TrailReader({ pool });
  all = await readPlainEntries(database);
});

afterAll(async () => {
  await pool?.end();
  await database?.[Symbol.asyncDispose]();
});

const expected = (filter: Partial<EntryFilter>): PlainEntry[] => matching(all, filter);

/** A generator of numbers in [0, 1) that gives the same sequence in every run (mulberry32). */
function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
}

const TEXTS = [
  'name 1', '%', '_', '\\', 'élan', 'ÉLAN', '"', 'n', 'U', 'x', '[', 'nothing has this', '100%_', '77', 'Customer A', '\n100',
  '\x1b', '\x1b[9', '\x1f', 'TAGS', '\ud800', '{"tags', 't', "'", '00ff', 'L66',
]; // prettier-ignore

function randomFilter(next: () => number): EntryFilter {
  const pick = <T>(values: readonly T[]): T => values[Math.floor(next() * values.length)]!;
  const some = <T>(make: () => T): T[] => Array.from({ length: 1 + Math.floor(next() * 3) }, make);
  const length = TO.getTime() - FROM.getTime();
  const start = FROM.getTime() + Math.floor(next() * length) - 3_600_000;
  const range =
    next() < 0.4
      ? ALWAYS
      : {
          from: new Date(start).toISOString(),
          to: new Date(start + 1 + Math.floor(next() * length)).toISOString(),
        };
  return {
    ...range,
    ...(next() < 0.35
      ? {
          modifiers: some(() => pick(['1', '2', '15', '20', '21', '399', 'bot-3', NOBODY, 'not one'])),
        }
      : {}),
    ...(next() < 0.3
      ? { actions: some(() => pick(['add', 'edit', 'login', 'merge', 'archive', 'block', 'not one'])) }
      : {}),
    ...(next() < 0.3
      ? { entityTypes: some(() => pick(['agent', 'customer', 'login', 'team', 'not one'])) }
      : {}),
    ...(next() < 0.25 ? { tenant: pick(['1', '2', '5', 'not one']) } : {}),
    ...(next() < 0.15 ? { entity: pick(['1', '3', '12', '77', '4242', 'not one', '']) } : {}),
    ...(next() < 0.15 ? { q: pick(TEXTS) } : {}),
  };
}

/** A filter with a word that no entry has makes every facet empty, so there is nothing to compare. */
const known = (filter: EntryFilter): boolean =>
  ![filter.modifiers, filter.actions, filter.entityTypes].some((list) =>
    list?.every((word) => word === 'not one'),
  );

describe('pages, counts and facets agree with a plain reading of every entry', () => {
  test('for random filters over summarised blocks', async () => {
    const next = random(20261123);
    for (let round = 0; round < 25; round++) {
      const filter = randomFilter(next);
      await expectAgreement({ reader, all }, filter, { facets: known(filter) && round % 2 === 0 });
    }
  });

  test('for each searched text', async () => {
    for (const q of TEXTS) {
      const filter = { ...ALWAYS, from: '2026-11-20T00:00:00Z', q };
      const found = expected(filter);
      expect(ids((await reader.page(filter, { limit: 20 })).items)).toEqual(ids(found.slice(0, 20)));
    }
  });

  test('for a trail in which nothing, or only every second block, is summarised', async () => {
    await using copy = await freshDatabase('trail');
    await seedTrail({ url: copy.url, entries: 80_000, from: FROM, to: TO, seed: 7, index: false });
    const [saved, savedReader] = [all, reader];
    const ownPool = createPool({ url: copy.url, purpose: 'test', max: 2 });
    try {
      all = await readPlainEntries(copy);
      reader = new TrailReader({ pool: ownPool });
      const next = random(7);
      for (let round = 0; round < 6; round++)
        await expectAgreement({ reader, all }, randomFilter(next), { facets: false });
      await expectAgreement({ reader, all }, ALWAYS, { facets: true });
      await copy.query('select trail.roll_up(1000)');
      await copy.query('delete from trail.block where block % 2 = 0');
      for (let round = 0; round < 6; round++)
        await expectAgreement({ reader, all }, randomFilter(next), { facets: false });
      await expectAgreement({ reader, all }, { ...ALWAYS, from: '2026-11-19T12:00:00Z' }, { facets: true });
    } finally {
      [all, reader] = [saved, savedReader];
      await ownPool.end();
    }
  });

  test('for a walk with batches that cover the whole filter, newest first', async () => {
    const filter = { ...ALWAYS, modifiers: [NOBODY], entityTypes: ['customer', 'agent'] };
    const walked = await walkedEntries(reader, filter);
    expect(ids(walked)).toEqual(ids(expected(filter)));
    expect(walked.length).toBeGreaterThan(1400);
  });

  test('for a live tail, which continues oldest first from any id', async () => {
    const filter = { actions: ['block', 'merge'] };
    const found = expected(filter).reverse();
    let id = String(found[0]!.id - 1n);
    const seen: string[] = [];
    for (;;) {
      const { items, more } = await reader.after(filter, { id, limit: 400 });
      seen.push(...ids(items));
      if (!more) break;
      id = items.at(-1)!.id;
    }
    expect(seen).toEqual(ids(found));
  });

  test('for the history of an entity across all days', async () => {
    const found = expected({ entityTypes: ['customer'], entity: '12' });
    const seen: string[] = [];
    let cursor: string | undefined;
    do {
      const page = await reader.history({ type: 'customer', id: '12', limit: 100, cursor });
      seen.push(...ids(page.items));
      cursor = page.next ?? undefined;
    } while (cursor !== undefined);
    expect(seen).toEqual(ids(found));
    expect(found.length).toBeGreaterThan(8);
  });
});

describe('a page', () => {
  test('holds entries as they were stored, in words', async () => {
    const [entry] = (
      await reader.page({ ...ALWAYS, entityTypes: ['customer'], actions: ['add'] }, { limit: 1 })
    ).items;
    const [row] = await database.query<{
      id: string;
      committed_at: string;
      key: string | null;
      lsn: string;
      xid: string;
    }>(
      `select e.id::text, to_char(committed_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as committed_at, m.key,
              commit_lsn::text as lsn, xid::text
         from trail.entry e join trail.modifier m on m.id = modifier_id where e.id = $1`,
      [entry!.id],
    );
    expect(entry).toMatchObject({
      id: row!.id,
      committedAt: row!.committed_at,
      modifier: { key: row!.key },
      action: 'add',
      entity: { type: 'customer' },
      previous: null,
      table: 'public.customers',
      operation: 'insert',
      transaction: { commitLsn: row!.lsn, xid: row!.xid },
    });
    expect([...entry!.updated!.keys()]).toEqual([
      'id', 'name', 'status', 'blocked', 'balance', 'team_id', 'profile', 'created_at', 'avatar', 'ratio',
    ]); // prettier-ignore
    expect(entry!.updated!.get('blocked')!.kind).toBe('boolean');
    expect(entry!.updated!.get('balance')!.kind).toBe('number');
    expect(entry!.updated!.get('profile')!.kind).toBe('json');
    expect(entry!.updated!.get('ratio')).toEqual({ kind: 'number', text: '1e+100' });
  });

  test('shows stored values by the words of the YAML and of the label as of the change', async () => {
    const filter = { ...ALWAYS, entityTypes: ['team'], actions: ['edit'] };
    const [entry] = (await reader.page(filter, { limit: 1 })).items;
    const team = entry!.updated!.get('team_id')!;
    expect(team.label ?? `Team ${team.text}`).toBe(`Team ${team.text}`);
    const word = ['online', 'away', 'closed'][Number(entry!.updated!.get('status')!.text) - 1];
    expect(entry!.updated!.get('status')!.label).toBe(word);

    const items = (await reader.page(filter, { limit: 500 })).items;
    const of = (entries: readonly Entry[], key: string): (string | undefined)[] =>
      entries.flatMap(({ updated }) => {
        const value = updated!.get('team_id');
        return value?.text === key ? [value.label] : [];
      });
    expect(new Set(of(items, '7'))).toEqual(new Set(['Team 7']));
    // Renamed in the middle of the page, and deleted later.
    const middle = items[300]!.id;
    await database.query(
      `insert into trail.lookup (table_name, key, from_id, name) values ('public.teams', '7', $1, 'New team')`,
      [middle],
    );
    await database.query(
      `insert into trail.lookup (table_name, key, from_id, name) values ('public.teams', '8', $1, null)`,
      [middle],
    );
    try {
      const again = (await reader.page(filter, { limit: 500 })).items;
      expect(new Set(of(again.slice(0, 301), '7'))).toEqual(new Set(['New team']));
      expect(new Set(of(again.slice(301), '7'))).toEqual(new Set(['Team 7']));
      expect(new Set(of(again.slice(0, 301), '8'))).toEqual(new Set([undefined]));
    } finally {
      await database.query(`delete from trail.lookup where from_id = $1`, [middle]);
    }
  });

  test('names what the source did not send instead of showing null', async () => {
    const items = (await reader.page({ ...ALWAYS, actions: ['edit'] }, { limit: 500 })).items;
    const unknown = items.filter((entry) => entry.unknown.length > 0);
    expect(unknown.length).toBeGreaterThan(5);
    for (const entry of unknown) {
      expect(entry.unknown).toEqual(['team_id']);
      expect(entry.previous!.has('team_id')).toBe(false);
      expect(entry.updated!.has('team_id')).toBe(true);
    }
    expect(items.some((entry) => entry.updated!.get('team_id')?.kind === 'null')).toBe(true);
  });

  test('keeps its place while new entries arrive: no gap and no repetition', async () => {
    await using own = await freshDatabase('trail');
    await seedTrail({
      url: own.url,
      entries: 20_000,
      from: new Date(Date.now() - 86_400_000),
      to: new Date(),
    });
    const ownPool = createPool({ url: own.url, purpose: 'test', max: 2 });
    try {
      const ownReader = new TrailReader({ pool: ownPool });
      const filter = { ...ALWAYS, to: '2099-01-01T00:00:00Z', entityTypes: ['login'] };
      const before = (await readPlainEntries(own)).filter((entry) => entry.type === 'login');
      const seen: string[] = [];
      let cursor: string | undefined;
      do {
        const page: Awaited<ReturnType<TrailReader['page']>> = await ownReader.page(filter, {
          limit: 500,
          ...(cursor === undefined ? {} : { cursor }),
        });
        seen.push(...ids(page.items));
        cursor = page.next ?? undefined;
        await own.query(`with c as (select next_id from trail.checkpoint),
          i as (insert into trail.entry select (e).* from (select jsonb_populate_record(e, jsonb_build_object('id', c.next_id)) as e
                  from trail.entry e, c where entity_type_id = 7 order by e.id desc limit 1) x)
          update trail.checkpoint set next_id = next_id + 1, entries = entries + 1`);
      } while (cursor !== undefined);
      expect(seen).toEqual(ids(before));
      const newest = await ownReader.page(filter, { limit: 1 });
      expect(BigInt(newest.items[0]!.id)).toBeGreaterThan(before[0]!.id);
    } finally {
      await ownPool.end();
    }
  });

  test('finds a modifier under every name it has had, also under one given after the reader started', async () => {
    const filter = { ...ALWAYS, modifiers: ['399'] };
    const before = await reader.count(filter, { below: (await reader.head()).nextId });
    const [newest] = await database.query<{ id: string }>('select max(id)::text as id from trail.entry');
    await database.query(
      `insert into trail.modifier (id, key, name, kind) values (900, '399', 'Renamed since', 'agent')`,
    );
    const [was] = await database.query<{ modifier_id: number }>(
      `update trail.entry e set modifier_id = 900 from trail.entry o where e.id = $1 and o.id = e.id returning o.modifier_id`,
      [newest!.id],
    );
    try {
      const page = await reader.page(filter, { limit: 1 });
      expect(page.items[0]).toMatchObject({
        id: newest!.id,
        modifier: { key: '399', name: 'Renamed since' },
      });
      expect(await reader.count(filter, { below: (await reader.head()).nextId })).toBe(before + 1);
    } finally {
      await database.query('update trail.entry set modifier_id = $2 where id = $1', [
        newest!.id,
        was!.modifier_id,
      ]);
    }
  });

  test('is refused for a damaged cursor, and for the cursor of another filter', async () => {
    const { next } = await reader.page({ ...ALWAYS, actions: ['add'] }, { limit: 1 });
    expect(next).not.toBeNull();
    const refused = { code: 'TRAIL_CURSOR_INVALID', status: 400 };
    for (const cursor of [
      '',
      'x',
      `${next!}A`,
      next!.slice(1),
      '\0',
      'é',
      Buffer.from('1.-5.x').toString('base64url'),
      '../..',
    ]) {
      await expect(reader.page({ ...ALWAYS, actions: ['add'] }, { limit: 1, cursor })).rejects.toMatchObject(
        refused,
      );
    }
    await expect(
      reader.page({ ...ALWAYS, actions: ['edit'] }, { limit: 1, cursor: next! }),
    ).rejects.toMatchObject(refused);
    // The same filter with another range is accepted: with "to = now" every request has another one.
    const later = await reader.page(
      { ...ALWAYS, to: '2026-12-31T00:00:00Z', actions: ['add'] },
      { limit: 1, cursor: next! },
    );
    expect(later.items).toHaveLength(1);
  });

  test('is empty, not an error, for texts that PostgreSQL cannot hold', async () => {
    for (const filter of [{ q: 'a\0b' }, { entity: '\0' }, { modifiers: ['\0'] }, { tenant: '\0' }]) {
      expect(await reader.page({ ...ALWAYS, ...filter }, { limit: 1 })).toMatchObject({
        items: [],
        next: null,
      });
    }
  });
});

describe('a single entry', () => {
  test('is found by its id at both ends of every day and on both sides of chunk and block borders', async () => {
    const borders = all.filter(
      ({ id }, place) =>
        place === 0 ||
        place === all.length - 1 ||
        [0n, 16383n].includes(id & 16383n) ||
        all[place - 1]!.id >> 32n !== id >> 32n,
    );
    expect(borders.length).toBeGreaterThan(12);
    for (const { id } of borders) expect((await reader.entry(String(id)))?.id).toBe(String(id));
  });

  test('does not exist for any other text', async () => {
    for (const id of [
      '0',
      '1',
      '-1',
      '',
      'x',
      '1.5',
      '9223372036854775807',
      '9223372036854775808',
      '99999999999999999999999',
    ]) {
      expect(await reader.entry(id)).toBeUndefined();
    }
  });
});

test('the view for auditors shows the same as the reader, in words', async () => {
  const { items } = await reader.page(ALWAYS, { limit: 300 });
  const rows = await database.query<Record<string, unknown>>(
    `select id::text, modified_by, modifier_kind, modifier_key, rung, action, entity_type, entity_name, entity_id, tenant, source_table,
            operation, commit_lsn::text, seq, origin, previous, updated
       from trail.readable where id >= $1 order by id desc limit 300`,
    [items.at(-1)!.id],
  );
  const texts = (values: Values | null): Record<string, string | null> | null =>
    values === null
      ? null
      : Object.fromEntries(
          Array.from(values, ([name, { kind, text }]) => [
            name,
            kind === 'null' ? null : kind === 'boolean' ? text.slice(0, 1) : text,
          ]),
        );
  expect(rows).toEqual(
    items.map((entry) => ({
      id: entry.id,
      modified_by: entry.modifier.name,
      modifier_kind: entry.modifier.kind,
      modifier_key: entry.modifier.key,
      rung: entry.modifier.rung,
      action: entry.action,
      entity_type: entry.entity.type,
      entity_name: entry.entity.name,
      entity_id: entry.entity.id,
      tenant: entry.tenant,
      source_table: entry.table,
      operation: entry.operation,
      commit_lsn: entry.transaction.commitLsn,
      seq: entry.transaction.seq,
      origin: entry.transaction.origin,
      previous: texts(entry.previous),
      updated: texts(entry.updated),
    })),
  );
  expect(items.some(({ unknown }) => unknown.length > 0)).toBe(true);
});

test('the view for auditors distinguishes an empty text from no column, and undoes every escape', async () => {
  const relation = JSON.stringify([{ name: 'a' }, { name: 'b' }, { name: 'c' }]);
  const [row] = await database.query<Record<string, unknown>>(
    `select trail.readable_values('', '', $1) as none, trail.readable_values(e'\x1f', '"', $1) as empty, trail.readable_values(null, null, $1) as absent,
            trail.readable_values(e'\x1b[\x1b_\x1f\x1bX00ff\x1f\x1b[_\x1f', null, $1) as escaped`,
    [relation],
  );
  expect(row).toEqual({
    none: {},
    empty: { b: '' },
    absent: null,
    escaped: { a: '\x1b\x1f', b: '\\x{00ff}', c: '\x1b_' },
  });
});

test('a statement that takes too long ends with a clear error', async () => {
  const hasty = new TrailReader({ pool, statementTimeoutMs: 1 });
  await expect(hasty.facets({ ...ALWAYS, q: 'nothing has this' })).rejects.toMatchObject({
    code: 'TRAIL_QUERY_TIMEOUT',
    status: 503,
  });
  // The connection is still usable.
  expect((await reader.page(ALWAYS, { limit: 1 })).items).toHaveLength(1);
});

test('a trail that has not begun is empty', async () => {
  await using empty = await freshDatabase('trail');
  const ownPool = createPool({ url: empty.url, purpose: 'test', max: 1 });
  try {
    const ownReader = new TrailReader({ pool: ownPool });
    expect(await ownReader.page(ALWAYS, { limit: 10 })).toMatchObject({ items: [], next: null });
    expect((await ownReader.head()).nextId).toBe('0');
    expect(await ownReader.count(ALWAYS, { below: '0' })).toBe(0);
    expect(await ownReader.after({}, { id: '0', limit: 10 })).toEqual({
      items: [],
      more: false,
      through: '0',
    });
    expect((await ownReader.facets(ALWAYS)).actions).toEqual([]);
  } finally {
    await ownPool.end();
  }
});
