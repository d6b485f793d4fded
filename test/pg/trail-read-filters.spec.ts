import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type pg from 'pg';
import { MOVED_ACTIONS, NOBODY, type EntryFilter } from '../../src/trail/read/entry.js';
import { TrailReader } from '../../src/trail/read/trail-reader.js';
import { openTrailPool } from '../../src/trail/roles.js';
import { freshDatabase, type TestDatabase } from '../support/database.ts';
import { expectAgreement } from '../support/trail-agreement.ts';
import { indexTrail, MOVES, seedTrail } from '../support/trail-data.ts';
import { matching, readPlainEntries, shownAction, type PlainEntry } from '../support/trail-oracle.ts';

// Two days, the second still open: full blocks and chunks, the last ones of a finished day, open ones, and a
// border in between.
const ENTRIES = 150_000;
const FROM = new Date('2026-11-19T02:00:00Z');
const TO = new Date('2026-11-20T23:00:00Z');

const ALL = { from: '2026-01-01T00:00:00Z', to: '2027-01-01T00:00:00Z' };
/** Each range cuts blocks and chunks at other places. */
const RANGES = {
  everything: ALL,
  'both days, their ends cut': { from: '2026-11-19T05:00:00.123456Z', to: '2026-11-20T21:30:00Z' },
  'around midnight': { from: '2026-11-19T23:30:00Z', to: '2026-11-20T00:30:00Z' },
  'before the trail began, where only late commit times are': {
    from: '2026-11-17T00:00:00Z',
    to: '2026-11-18T00:00:00Z',
  },
  'the far future': { from: '2080-01-01T00:00:00Z', to: '2100-01-01T00:00:00Z' },
};
const MODIFIERS = [['21'], [NOBODY, '1', '399', 'newcomer']];
const TYPES = [['customer'], ['team', 'login', 'nothing']];
const ACTIONS = [['edit'], ['archive', 'merge', 'never']];
const TENANTS = ['2', 'small'];
const RUNG_FILTERS: Partial<EntryFilter>[] = [
  { rungs: ['message'] },
  { rungs: ['witness'] },
  { rungs: ['unattributed', 'waltrail'] },
  { rungs: ['witness', 'unattributed'], entityTypes: ['customer'] },
  { rungs: ['unattributed'], modifiers: [NOBODY, '1'] },
  { rungs: ['unattributed'], modifiers: ['1'] },
  { rungs: ['message', 'column'], tenant: '2', actions: ['edit'] },
  { rungs: ['waltrail'] },
];
/**
 * Filters of people who were acted as: by several people, under another name, with the right modifier, and
 * with a wrong one.
 */
const ACTING_FILTERS: Partial<EntryFilter>[] = [
  { actingAs: ['21'] },
  { actingAs: ['2', 'newcomer'] },
  { actingAs: ['21', '2'], modifiers: ['1'] },
  { actingAs: ['21'], modifiers: ['2'] },
  { modifiers: ['1'] },
  { modifiers: ['21'] },
  { actingAs: ['2'], tenant: '2', actions: ['edit'] },
  { actingAs: ['21'], entityTypes: ['customer'] },
  { actingAs: ['newcomer'], rungs: ['message'] },
];
const ENTITIES = ['3', '4242'];

/** Every combination of dimensions, with the first values of some and the second values of others. */
const COMBINATIONS: Partial<EntryFilter>[] = Array.from({ length: 2 ** 5 }, (_, index) => {
  const chosen = <T>(place: number, values: readonly T[]): T | undefined =>
    (index >> place) % 2 === 0 ? undefined : values[((index % 3) + place) % 2];
  const [modifiers, entityTypes, actions] = [chosen(0, MODIFIERS), chosen(1, TYPES), chosen(2, ACTIONS)];
  const [tenant, entity] = [chosen(3, TENANTS), chosen(4, ENTITIES)];
  return {
    ...(modifiers && { modifiers }),
    ...(entityTypes && { entityTypes }),
    ...(actions && { actions }),
    ...(tenant !== undefined && { tenant }),
    ...(entity !== undefined && { entity }),
  };
});
/** Types that together cover every entry. */
const EVERY_TYPE = ['agent', 'customer', 'conversation', 'setting', 'campaign', 'module', 'login', 'team'];
const SINGLE: Partial<EntryFilter>[] = [
  {},
  { entityTypes: EVERY_TYPE },
  { entityTypes: EVERY_TYPE, tenant: '2' },
  { modifiers: ['seldom'], entityTypes: ['customer'] },
  ...MODIFIERS.map((modifiers) => ({ modifiers })),
  ...TYPES.map((entityTypes) => ({ entityTypes })),
  ...ACTIONS.map((actions) => ({ actions })),
  ...TENANTS.map((tenant) => ({ tenant })),
];

let database: TestDatabase;
let pool: pg.Pool;
let reader: TrailReader;
let all: PlainEntry[];

beforeAll(async () => {
  database = await freshDatabase('trail');
  await seedTrail({ url: database.url, entries: ENTRIES, from: FROM, to: TO, seed: 3, index: false });
  // Commit times of a source with a wrong clock, in some blocks; and words that no entry has.
  await database.query(
    `update trail.entry set committed_at = committed_at - interval '2 days' where id % 9001 = 5`,
  );
  await database.query(
    `update trail.entry set committed_at = committed_at + interval '60 years' where id % 70001 = 9`,
  );
  await database.query(`insert into trail.action (id, name) values (1000, 'never')`);
  await database.query(`insert into trail.entity_type (id, name) values (1000, 'nothing')`);
  await database.query(`insert into trail.modifier values (1000, 'newcomer', 'Newcomer', 'agent')`);
  // A modifier with few entries in most chunks and some in the first: there the lists of other words are not
  // worth reading.
  await database.query(`insert into trail.modifier values (1001, 'seldom', 'Seldom', 'agent')`);
  await database.query(
    `update trail.entry set modifier_id = 1001, rung = 'c'
      where id % 16384 = 77 or id between (select min(id) + 1000 from trail.entry) and (select min(id) + 1023 from trail.entry)`,
  );
  // Some act as others, who may have had another name, or have never done anything themselves.
  await database.query(`
    insert into trail.modifier (id, key, name, kind, acting_as)
      select 1100 + p.n, m.key, m.name, m.kind, p.acting_as
        from unnest(array[1, 1, 399, 401, 1001], array[21, 502, 2, 21, 1000]) with ordinality as p (by, acting_as, n)
        join trail.modifier m on m.id = p.by`);
  await database.query(
    `update trail.entry set modifier_id = 1101 + id % 5, rung = 'm'
      where id % 29 = 3 or id % 16384 between 3000 and 3100 or id between (select min(id) + 70000 from trail.entry) and (select min(id) + 70400 from trail.entry)`,
  );
  await database.query(MOVES);
  // Entries that moved from the small tenant to others, in one chunk.
  await database.query(
    `update trail.entry set previous_tenant_id = 6, previous_entity_id = entity_id where operation = 'u' and tenant_id = 3 and id % 16384 between 900 and 990`,
  );
  await indexTrail(database.url);
  pool = openTrailPool({ url: database.url, purpose: 'test', role: 'waltrail_reader', max: 2 });
  reader = new TrailReader({ pool });
  all = await readPlainEntries(database);
});

afterAll(async () => {
  await pool?.end();
  await database?.[Symbol.asyncDispose]();
});

describe('every combination of filters finds what a plain reading finds', () => {
  test.each(Object.entries(RANGES))(
    'in %s',
    async (name, range) => {
      // Entries outside the range are removed once, not for every filter.
      const read = { reader, all: matching(all, range) };
      // These filters read entries, so most are tried in the shortest range.
      for (const rungs of name === 'around midnight' ? RUNG_FILTERS : RUNG_FILTERS.slice(1, 3))
        await expectAgreement(read, { ...rungs, ...range }, { facets: name === 'around midnight' });
      for (const filter of ACTING_FILTERS)
        await expectAgreement(read, { ...filter, ...range }, { facets: true });
      for (const [index, combination] of [...COMBINATIONS, ...SINGLE].entries()) {
        const filter = { ...combination, ...range };
        await expectAgreement(read, filter, { facets: index % 3 === 0 || index >= COMBINATIONS.length });
      }
      expect(read.all.length).toBeGreaterThan(0);
    },
    240_000,
  );
});

describe('a reader of one tenant finds its own side of every entry', () => {
  const scopes = ['2', 'small'];
  const actions = [
    undefined,
    ['edit'],
    ['edit', MOVED_ACTIONS.left],
    [MOVED_ACTIONS.arrived],
    [MOVED_ACTIONS.arrived, MOVED_ACTIONS.left],
  ];
  test.each(Object.keys(RANGES).slice(0, 3))(
    'in %s',
    async (name) => {
      const range = RANGES[name as keyof typeof RANGES];
      const inRange = matching(all, range);
      for (const scope of scopes) {
        // Entries that the tenant does not see are removed once, not for every filter.
        const read = { reader, all: matching(inRange, { scope }) };
        for (const [index, filter] of [...COMBINATIONS, ...SINGLE].entries())
          if (filter.tenant === undefined && filter.actions === undefined)
            // Every filter with two of the actions, which change from one filter to the next.
            for (const chosen of [actions[index % actions.length], actions[(index + 2) % actions.length]])
              await expectAgreement(
                read,
                { ...filter, ...range, ...(chosen && { actions: chosen }), scope },
                { facets: index % 2 === 0 },
              );
        for (const filter of name === 'around midnight' ? ACTING_FILTERS : ACTING_FILTERS.slice(0, 1))
          if (filter.tenant === undefined)
            await expectAgreement(read, { ...filter, ...range, scope }, { facets: true });
        for (const rungs of name === 'around midnight' ? RUNG_FILTERS : [])
          if (rungs.tenant === undefined)
            await expectAgreement(read, { ...rungs, ...range, scope }, { facets: true });
        for (const q of ['former', 'away', '19', '9', 'newcomer', 'katz 2'])
          await expectAgreement(read, { ...RANGES['around midnight'], q, scope }, { facets: false });
      }
      expect(matching(inRange, { scope: '2', actions: [MOVED_ACTIONS.left] }).length).toBeGreaterThan(10);
    },
    240_000,
  );
});

describe('answers do not depend on summaries', () => {
  const range = RANGES['both days, their ends cut'];

  test.each([
    ['of every second block', 'trail.block where block % 2 = 0'],
    ['of values in some blocks', 'trail.block_value where (block + value) % 3 = 0'],
    ['of blocks', 'trail.block', 'trail.block_value'],
    ['of the newest chunks', 'trail.block where block & 1 = 1', 'trail.chunk where chunk in (select chunk from trail.chunk order by 1 desc limit 3)'],
    ['of every kind', 'trail.chunk', 'trail.block', 'trail.block_value'],
  ])('when the summaries %s are missing', async (_, ...lost) => {
    for (const rows of lost) await database.query(`create table lost_${lost.indexOf(rows)} as select * from ${rows}`);
    for (const rows of lost) await database.query(`delete from ${rows}`);
    try {
      const read = { reader, all: matching(all, range) };
      for (const filter of [...SINGLE, ...ACTING_FILTERS.slice(0, 4)])
        await expectAgreement(read, { ...filter, ...range }, { facets: true });
      for (const scope of ['1', 'small'])
        await expectAgreement(read, { ...range, scope }, { facets: true });
      const both = { modifiers: ['1'], tenant: '2' };
      await expectAgreement(read, { ...both, ...range }, { facets: true });
    } finally {
      for (const rows of lost) {
        const table = rows.split(' ')[0]!;
        await database.query(`insert into ${table} select * from lost_${lost.indexOf(rows)}`);
        await database.query(`drop table lost_${lost.indexOf(rows)}`);
      }
    }
  }); // prettier-ignore

  test('when they are computed again', async () => {
    const content = (): Promise<unknown[]> =>
      database.query(`select (select md5(string_agg(c::text, ',' order by chunk)) from trail.chunk c) as chunks,
        (select md5(string_agg(p::text, ',' order by dimension, bucket, chunk)) from trail.posting p) as postings,
        (select md5(string_agg(b::text, ',' order by block)) from trail.block b) as blocks,
        (select md5(string_agg(v::text, ',' order by dimension, value, block)) from trail.block_value v) as values`);
    const before = await content();
    await database.query('delete from trail.block');
    await database.query('delete from trail.block_value');
    const newest = '(select chunk from trail.chunk order by chunk desc limit 3)';
    await database.query(`delete from trail.posting where chunk in ${newest}`);
    await database.query(`delete from trail.chunk where chunk in ${newest}`);
    // A block waits until all its chunks exist.
    await database.query('select trail.roll_up(2)');
    await database.query('select trail.roll_up(1000)');
    await indexTrail(database.url);
    expect(await content()).toEqual(before);
  });
});

test('lists of a tenant contain no person and no word that only other tenants have', async () => {
  const range = { from: ALL.from, to: '2100-01-01T00:00:00Z' };
  const own = matching(all, { scope: 'small' });
  const facets = await reader.facets({ ...range, scope: 'small' });
  const values = (list: readonly { readonly value: string }[]): Set<string> => new Set(list.map(({ value }) => value));
  expect(values(facets.tenants)).toEqual(new Set(['small']));
  expect(values(facets.modifiers)).toEqual(new Set(own.map(({ modifier }) => modifier ?? NOBODY)));
  expect(values(facets.actions)).toEqual(new Set(own.map((entry) => shownAction(entry, 'small'))));
  expect(own.length).toBeGreaterThan(5);
  const { items } = await reader.page({ ...range, scope: 'small' }, { limit: 500 });
  expect(items.map(({ id }) => BigInt(id))).toEqual(own.map(({ id }) => id));
  expect(values((await reader.facets({ ...range, tenant: 'not one' })).modifiers)).toEqual(new Set());
}); // prettier-ignore
