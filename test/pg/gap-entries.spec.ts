import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import pg from 'pg';
import { parseLsn } from '../../src/pg/lsn.js';
import {
  acceptGaps,
  endGap,
  goOnAt,
  openGap,
  readOpenGaps,
  type FoundGap,
  type OpenGap,
} from '../../src/trail/write/gaps.js';
import { beginTrail, readCheckpoint } from '../../src/trail/write/checkpoint.js';
import { findGaps } from '../../src/trail/read/gap-list.js';
import { entryToJson } from '../../src/trail/read/json.js';
import { TrailReader } from '../../src/trail/read/trail-reader.js';
import { openTrailPool } from '../../src/trail/roles.js';
import { freshDatabase, type TestDatabase } from '../support/database.ts';
import { seedTrail } from '../support/trail-data.ts';

const SOURCE = 'test';
const SLOT = 'slot';
const IDENTITY = { systemIdentifier: '1', timeline: 1 };

let database: TestDatabase;
let client: pg.Client;

beforeEach(async () => {
  database = await freshDatabase('trail');
  client = new pg.Client(database.url);
  await client.connect();
  await client.query('select trail.ensure_partitions(1)');
  await beginTrail(client, {
    namesRead: { wanted: [], read: new Map() },
    source: SOURCE,
    identity: IDENTITY,
    slot: SLOT,
    startLsn: parseLsn('0/1000'),
    names: (async function* () {})(),
  });
});

afterEach(async () => {
  await client.end();
  await database[Symbol.asyncDispose]();
});

const found = (code: FoundGap['code'], from: string, to: string | null, tables: string[] | null = null) => ({
  code,
  tables,
  fromLsn: parseLsn(from),
  toLsn: to === null ? null : parseLsn(to),
});

async function theOpenGap(): Promise<OpenGap> {
  const gaps = await readOpenGaps(client);
  expect(gaps).toHaveLength(1);
  return gaps[0]!;
}

async function closedRange(): Promise<{ from_lsn: string; to_lsn: string }[]> {
  return database.query(
    'select from_lsn::text, to_lsn::text from trail.gap where closed_at is not null order by id',
  );
}

async function goOn(lsn: string): Promise<void> {
  await client.query('begin');
  await goOnAt(client, {
    from: (await readCheckpoint(client, SOURCE))!,
    to: { lsn: parseLsn(lsn), slot: SLOT, ...IDENTITY },
    gaps: await readOpenGaps(client),
  });
  await client.query('commit');
}

test('every reader shows the entry of a gap, and names Waltrail as its author', async () => {
  await openGap(client, found('SOURCE_SLOT_AHEAD', '0/1000', '0/2000', ['public.items']));
  const pool = openTrailPool({ url: database.url, purpose: 'test', role: 'waltrail_reader', max: 1 });
  try {
    const { items } = await new TrailReader({ pool }).page(
      { from: '2026-01-01T00:00:00Z', to: '2126-01-01T00:00:00Z' },
      { limit: 10 },
    );
    expect(items).toHaveLength(1);
    expect(JSON.parse(entryToJson(items[0]!))).toMatchObject({
      action: 'gap',
      modifier: { key: null, name: 'Waltrail', kind: null, rung: 'waltrail' },
      updated: { from_lsn: '0/1000', to_lsn: '0/2000', tables: 'public.items' },
    });
    expect(await database.query('select modified_by, modifier_kind, rung from trail.readable')).toEqual([
      { modified_by: 'Waltrail', modifier_kind: null, rung: 'waltrail' },
    ]);
  } finally {
    await pool.end();
  }
});

test('a slot that is moved again while its gap is open widens the gap', async () => {
  expect(await openGap(client, found('SOURCE_SLOT_AHEAD', '0/1000', '0/2000'))).toBe(true);
  expect(await openGap(client, found('SOURCE_SLOT_AHEAD', '0/1000', '0/3000'))).toBe(false);
  await acceptGaps(client);
  await goOn('0/3000');
  expect(await closedRange()).toEqual([{ from_lsn: '0/1000', to_lsn: '0/3000' }]);
});

test('a publication that is broken again before its gap is accepted opens the end of the gap again', async () => {
  const broken = found('SOURCE_PUBLICATION_INCOMPLETE', '0/1000', null, ['public.items']);
  await openGap(client, broken);
  await endGap(client, await theOpenGap(), parseLsn('0/2000'));
  expect(await openGap(client, { ...broken, fromLsn: parseLsn('0/2500') })).toBe(false);
  expect(await theOpenGap()).toMatchObject({ fromLsn: parseLsn('0/1000'), toLsn: null });
  await endGap(client, await theOpenGap(), parseLsn('0/4000'));
  await acceptGaps(client);
  await goOn('0/1000');
  expect(await closedRange()).toEqual([{ from_lsn: '0/1000', to_lsn: '0/4000' }]);
});

test('an open gap that is found to begin earlier is extended', async () => {
  await openGap(client, found('SOURCE_SLOT_LOST', '0/2000', null));
  await openGap(client, found('SOURCE_SLOT_LOST', '0/1000', null));
  expect((await theOpenGap()).fromLsn).toBe(parseLsn('0/1000'));
});

describe("the beginning of a gap's mark", () => {
  beforeEach(async () => {
    await client.query('delete from trail.checkpoint');
    // Three chunks on two days. Three entries have the same commit.
    await seedTrail({
      url: database.url,
      entries: 40_000,
      from: new Date('2026-11-19T12:00:00Z'),
      to: new Date('2026-11-20T12:00:00Z'),
      index: false,
    });
  });

  const lastEntryAt = async (): Promise<string | null> =>
    (await database.query<{ at: string | null }>('select last_entry_at::text as at from trail.gap'))[0]!.at;
  /** By a plain reading. */
  const committedAt = async (which: string): Promise<string> =>
    (
      await database.query<{ at: string }>(
        `select committed_at::text as at from trail.entry where ${which} limit 1`,
      )
    )[0]!.at;

  test('is the last stored commit at the end of the trail', async () => {
    const { endLsn } = (await readCheckpoint(client, 'crm'))!;
    await openGap(client, { code: 'SOURCE_SLOT_LOST', tables: null, fromLsn: endLsn, toLsn: null });
    const [checkpoint] = await database.query<{ at: string }>(
      'select last_committed_at::text as at from trail.checkpoint',
    );
    expect(await lastEntryAt()).toBe(checkpoint!.at);
  });

  test.each(['0/12FFF00', '0/1200080', '0/1000101', '0/1000001'])(
    'is the last commit before %s, whatever was stored since',
    async (from) => {
      await openGap(client, found('SOURCE_TIMELINE_FORKED', from, '0/1400000'));
      expect(await lastEntryAt()).toBe(await committedAt(`commit_lsn < '${from}' order by id desc`));
    },
  );

  test('is missing where all stored entries lie in the gap, so that every earlier report is marked', async () => {
    await openGap(client, found('SOURCE_TIMELINE_FORKED', '0/1000000', '0/1400000'));
    expect(await lastEntryAt()).toBeNull();
    const { total } = await findGaps(client, {
      range: { from: '2026-03-01T00:00:00Z', to: '2026-03-02T00:00:00Z' },
      limit: 1,
    });
    expect(total).toBe(1);
  });

  test('is missing where the source was replaced, because its positions mean nothing', async () => {
    const changed = {
      ...found('SOURCE_CHANGED', '0/1400000', null),
      fromLsn: (await readCheckpoint(client, 'crm'))!.endLsn,
    };
    await openGap(client, changed);
    await acceptGaps(client);
    await client.query('begin');
    await goOnAt(client, {
      from: (await readCheckpoint(client, 'crm'))!,
      to: { lsn: parseLsn('0/2000000'), slot: SLOT, systemIdentifier: '2', timeline: 1 },
      gaps: await readOpenGaps(client),
    });
    await client.query('commit');
    await openGap(client, found('SOURCE_PUBLICATION_MISSING', '0/1200000', null));
    const rows = await database.query(`select last_entry_at as at from trail.gap where closed_at is null`);
    expect(rows).toEqual([{ at: null }]);
  });

  test('moves back with a gap that is found to begin earlier', async () => {
    await openGap(client, found('SOURCE_TIMELINE_FORKED', '0/1300000', '0/1400000'));
    await openGap(client, found('SOURCE_TIMELINE_FORKED', '0/1100000', '0/1400000'));
    expect(await lastEntryAt()).toBe(await committedAt(`commit_lsn < '0/1100000' order by id desc`));
  });
});
