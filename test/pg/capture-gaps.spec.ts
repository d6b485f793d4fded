import { afterEach, describe, expect, test } from '@jest/globals';
import pg from 'pg';
import { startCapture } from '../../src/capture/capture.js';
import { silentLog, type Log } from '../../src/log.js';
import { parseLsn } from '../../src/pg/lsn.js';
import { acceptGaps, openGap } from '../../src/trail/write/gaps.js';
import {
  applyTracking,
  captureGround,
  readEntries,
  streaming,
  testConfig,
  untilCaughtUp,
  type CaptureGround,
  type PlainEntry,
} from '../support/capture.ts';
import { freshDatabase, majorVersion, slotFree, type TestDatabase } from '../support/database.ts';
import { until } from '../support/until.ts';

const DETECTION_LIMIT_MS = 5_000;
/** Shorter than in production, so that an accepted gap is noticed soon. */
const TICK_MS = 500;
const SCHEMA = `create table items (id int generated always as identity primary key, name text);
                create table parts (id int generated always as identity primary key, name text);`;
const YAML = `tables: { public.items: { entity: item, name: "{name}" }, public.parts: { entity: part, name: "{name}" } }`;

const ground = (of: { readonly log?: Log; readonly source?: TestDatabase } = {}) =>
  captureGround({ schemaSql: SCHEMA, yaml: YAML, options: { pace: { tickMs: TICK_MS } }, ...of });
const add = (g: CaptureGround, name: string, table = 'items') =>
  g.source.query(`insert into ${table} (name) values ('${name}')`);
const slotOf = (g: CaptureGround): string => g.config.source.slot;

const ofItems = (entries: readonly PlainEntry[]) =>
  entries
    .filter(({ operation, entityType }) => operation === 'i' && entityType !== 'waltrail')
    .map(({ entityName }) => entityName);
const own = (entries: readonly PlainEntry[]) => entries.filter(({ entityType }) => entityType === 'waltrail');
const ofAction = (entries: readonly PlainEntry[], action: string) =>
  own(entries).filter((entry) => entry.action === action);

/** Waits for the entry of a gap, which is found within five seconds. */
async function gapFound(g: CaptureGround, code: string): Promise<PlainEntry> {
  const found = async () =>
    ofAction(await g.entries(), 'gap').find(({ updated }) => updated!['code'] === code);
  await until(`an entry for the gap ${code}`, async () => (await found()) !== undefined, DETECTION_LIMIT_MS);
  return (await found())!;
}

const stoppedWith = (g: CaptureGround, code: string) =>
  until(`capture to stop with ${code}`, () => {
    const { state, error } = g.capture.status();
    return state === 'stopped' && error?.code === code;
  });

async function accept(g: CaptureGround): Promise<void> {
  const client = new pg.Client(g.trail.url);
  await client.connect();
  try {
    expect(await acceptGaps(client)).toBeGreaterThan(0);
  } finally {
    await client.end();
  }
}

async function stopAndFree(g: CaptureGround): Promise<void> {
  await g.capture.stop();
  await slotFree(g.source, slotOf(g));
}

const start = (g: CaptureGround, onGap: 'stop' | 'continue' = 'stop'): void => {
  g.capture = startCapture({
    config: { ...g.config, source: { ...g.config.source, onGap } },
    log: silentLog,
    pace: { tickMs: TICK_MS },
  });
};

/**
 * Each case does something that the stream would pass over silently while capture is stopped. `lost` is never
 * seen again.
 */
const CASES: readonly {
  name: string;
  code: string;
  sabotage: (g: CaptureGround) => Promise<void>;
  lost: boolean;
}[] = [
  {
    name: 'the slot was dropped',
    code: 'SOURCE_SLOT_LOST',
    lost: true,
    sabotage: async (g) => {
      await g.source.query(`select pg_drop_replication_slot('${slotOf(g)}')`);
      await add(g, 'lost');
    },
  },
  {
    name: 'the slot was dropped and recreated',
    code: 'SOURCE_SLOT_AHEAD',
    lost: true,
    sabotage: async (g) => {
      await g.source.query(`select pg_drop_replication_slot('${slotOf(g)}')`);
      await add(g, 'lost');
      await g.source.query(`select pg_create_logical_replication_slot('${slotOf(g)}', 'pgoutput')`);
    },
  },
  {
    name: 'the slot was advanced',
    code: 'SOURCE_SLOT_AHEAD',
    lost: true,
    sabotage: async (g) => {
      await add(g, 'lost');
      const [behind] = await g.source.query<{ lsn: string }>(
        `select pg_current_wal_insert_lsn()::text as lsn`,
      );
      await until('it to be flushed', async () => {
        const [row] = await g.source.query<{ flushed: boolean }>(
          `select pg_current_wal_flush_lsn() >= '${behind!.lsn}' as flushed`,
        );
        return row!.flushed;
      });
      await g.source.query(`select pg_replication_slot_advance('${slotOf(g)}', '${behind!.lsn}')`);
    },
  },
  {
    name: 'the publication was dropped and recreated',
    code: 'SOURCE_PUBLICATION_MISSING',
    lost: true,
    sabotage: async (g) => {
      await g.source.query('drop publication waltrail');
      await add(g, 'lost');
      await applyTracking(g.config);
    },
  },
  {
    name: 'the publication published no inserts for a while',
    code: 'SOURCE_PUBLICATION_INCOMPLETE',
    lost: true,
    sabotage: async (g) => {
      await g.source.query(`alter publication waltrail set (publish = 'update')`);
      await add(g, 'lost');
      await applyTracking(g.config);
    },
  },
  {
    name: 'the trail was restored to an older state',
    code: 'SOURCE_SLOT_AHEAD',
    lost: true,
    sabotage: async (g) => {
      const [before] = await g.trail.query<{ end_lsn: string; next_id: string }>(
        `select end_lsn::text, next_id::text from trail.checkpoint`,
      );
      start(g);
      await streaming(g.capture);
      await add(g, 'lost');
      await g.caughtUp();
      await until('it to be acknowledged', async () => {
        const rows = await g.source.query(
          `select from pg_replication_slots where slot_name = $1 and confirmed_flush_lsn > $2::pg_lsn`,
          [slotOf(g), before!.end_lsn],
        );
        return rows.length > 0;
      });
      await stopAndFree(g);
      await g.trail.query(`delete from trail.entry where id >= $1`, [before!.next_id]);
      await g.trail.query(`update trail.checkpoint set end_lsn = $1, next_id = $2`, [
        before!.end_lsn,
        before!.next_id,
      ]);
    },
  },
];

describe.each(CASES)('a silent gap: $name', ({ code, sabotage }) => {
  let g: CaptureGround;
  afterEach(async () => {
    await g[Symbol.asyncDispose]();
  });

  test('is recorded within five seconds, stops capture, and lets it resume once accepted', async () => {
    g = await ground();
    await add(g, 'before');
    await g.caughtUp();
    const [position] = await g.source.query<{ lsn: string }>(
      `select pg_current_wal_insert_lsn()::text as lsn`,
    );
    await stopAndFree(g);
    await sabotage(g);
    start(g);
    const entry = await gapFound(g, code);
    await stoppedWith(g, code);
    // The gap begins at or before the first lost change, and after the last stored one.
    expect(parseLsn(entry.updated!['from_lsn']!)).toBeLessThanOrEqual(parseLsn(position!.lsn) + 2_000n);
    expect(entry).toMatchObject({ operation: 'i', rung: 'w', table: 'waltrail.gap', kind: null });
    await add(g, 'after');
    await accept(g);
    await streaming(g.capture, { fromStopped: true });
    await add(g, 'later');
    const entries = await g.caughtUp();
    expect(ofItems(entries)).toEqual(expect.arrayContaining(['before', 'later']));
    expect(ofItems(entries)).not.toContain('lost');
    const [closed] = ofAction(entries, 'gap_closed');
    expect(closed!.entityId).toBe(entry.entityId);
    expect(closed!.updated!['to_lsn']).not.toBeNull();
    expect(ofAction(entries, 'gap')).toHaveLength(1);
    // The next start finds nothing new.
    await g.restart();
    await add(g, 'last');
    expect(ofItems(await g.caughtUp()).at(-1)).toBe('last');
    expect(ofAction(await g.entries(), 'gap')).toHaveLength(1);
  });

  test('is recorded without stopping capture where the YAML asks to continue', async () => {
    g = await ground();
    await add(g, 'before');
    await g.caughtUp();
    await stopAndFree(g);
    await sabotage(g);
    start(g, 'continue');
    await gapFound(g, code);
    await streaming(g.capture, { fromStopped: true });
    await add(g, 'later');
    const entries = await g.caughtUp();
    expect(ofItems(entries)).toEqual(['before', 'later']);
    expect(own(entries).map(({ action }) => action)).toEqual(['gap', 'gap_closed']);
  });
});

describe('a process that ended while it resumed after an accepted gap asks for no second acceptance', () => {
  test.each([
    [
      'after it had created a new slot',
      'SOURCE_SLOT_LOST',
      async (g: CaptureGround) => {
        await add(g, 'lost');
        await g.source.query(`select pg_create_logical_replication_slot('${slotOf(g)}', 'pgoutput')`);
      },
    ],
    ['after it had dropped the invalid slot', 'SOURCE_SLOT_INVALID', (g: CaptureGround) => add(g, 'lost')],
  ] as const)('%s', async (_, code, goneSoFar) => {
    await using g = await ground();
    await add(g, 'before');
    await g.caughtUp();
    await stopAndFree(g);
    await g.source.query(`select pg_drop_replication_slot('${slotOf(g)}')`);
    const client = new pg.Client(g.trail.url);
    await client.connect();
    const [{ lsn }] = (await g.trail.query<{ lsn: string }>(
      'select end_lsn::text as lsn from trail.checkpoint',
    )) as [{ lsn: string }];
    await openGap(client, { code, tables: null, fromLsn: parseLsn(lsn), toLsn: null }).finally(() =>
      client.end(),
    );
    await accept(g);
    await goneSoFar(g);
    start(g);
    await streaming(g.capture);
    await add(g, 'after');
    const entries = await g.caughtUp();
    expect(ofItems(entries)).toEqual(['before', 'after']);
    expect(own(entries).map(({ action, updated }) => [action, updated!['code']])).toEqual([
      ['gap', code],
      ['gap_closed', code],
    ]);
  });
});

test('a transaction that the source cannot send stops capture, and an operator can pass over it alone', async () => {
  // At the pace of a daemon: the source needs seconds to find out, each time, that the row is too large.
  await using g = await captureGround({ schemaSql: SCHEMA, yaml: YAML });
  await add(g, 'before');
  await g.caughtUp();
  // 600 MB as a row, and 1.2 GB in hexadecimal: more than PostgreSQL can put into one message.
  await g.source.query(`alter table items add column more bytea, add column other bytea`);
  await g.source.query(
    `insert into items (name, more, other)
     select 'lost', half, half from (select convert_to(repeat('x', 300 * 1024 * 1024), 'utf8')) of (half)`,
  );
  await add(g, 'behind it');
  const named = (): string | undefined =>
    /waltrail skip --at (\S+)/.exec(g.capture.status().error?.remedy ?? '')?.[1];
  await until('capture to name the transaction', () => named() !== undefined, 180_000);
  expect(g.capture.status()).toMatchObject({
    state: 'stopped',
    error: {
      code: 'SOURCE_ROW_TOO_LARGE',
      message: expect.stringContaining(`commits at ${named()!}`),
    },
  });
  expect(await g.trail.query(`select trail.ask_skip($1, 'too large', null) as answer`, [named()!])).toEqual([
    { answer: 'asked' },
  ]);
  await streaming(g.capture, { fromStopped: true });
  await add(g, 'after');
  const entries = await g.caughtUp();
  expect(ofItems(entries)).toEqual(['before', 'behind it', 'after']);
  const told = own(entries).map(({ action, updated }) => [action, updated!['code']]);
  expect(told).toContainEqual(['gap', 'SOURCE_TRANSACTION_SKIPPED']);
  expect(told).toContainEqual(['gap_closed', 'SOURCE_TRANSACTION_SKIPPED']);
});

describe('while capture streams', () => {
  test.each([
    ['the publication is dropped', 'drop publication waltrail', 'SOURCE_PUBLICATION_MISSING'],
    [
      'the publication stops publishing deletes',
      `alter publication waltrail set (publish = 'insert, update, truncate')`,
      'SOURCE_PUBLICATION_INCOMPLETE',
    ],
  ])('%s: an entry within five seconds, with the range', async (_, sql, code) => {
    await using g = await ground();
    await add(g, 'before');
    await g.caughtUp();
    const [position] = await g.source.query<{ lsn: string }>(
      `select pg_current_wal_insert_lsn()::text as lsn`,
    );
    await g.source.query(sql);
    const { updated } = await gapFound(g, code);
    await stoppedWith(g, code);
    expect(updated!['tables']).toBeNull();
    // The range begins at a look before the last good one, or at that of the start.
    // It includes at most the changes of a few seconds before.
    expect(parseLsn(updated!['from_lsn']!)).toBeLessThanOrEqual(parseLsn(position!.lsn));
    expect(g.capture.status().error!.remedy).toContain('waltrail gaps --accept');
  });

  test('a publication that is broken twice before the gap is accepted is one gap that covers both', async () => {
    await using g = await ground();
    await g.source.query('drop publication waltrail');
    await add(g, 'lost');
    await gapFound(g, 'SOURCE_PUBLICATION_MISSING');
    await applyTracking(g.config);
    const ended = async () =>
      (await g.trail.query('select from trail.gap where to_lsn is not null')).length === 1;
    await until('the end of the gap to be known', ended);
    await add(g, 'kept');
    await g.source.query('drop publication waltrail');
    await add(g, 'lost');
    await until('the gap to continue', async () => !(await ended()));
    await applyTracking(g.config);
    await accept(g);
    await streaming(g.capture, { fromStopped: true });
    await add(g, 'after');
    const entries = await g.caughtUp();
    // Before PostgreSQL 18 the source cannot pass a range without its publication, so the whole gap is
    // skipped.
    expect(ofItems(entries)).toEqual((await majorVersion(g.source)) >= 18 ? ['kept', 'after'] : ['after']);
    expect(own(entries).map(({ action }) => action)).toEqual(['gap', 'gap_closed']);
  });
});

test('changes between the creation of a slot and of its publication are a gap, and capture does not stop again', async () => {
  await using source = await freshDatabase('empty');
  await using trail = await freshDatabase('trail');
  await source.query(SCHEMA);
  const config = testConfig({ source, trail, yaml: YAML });
  await source.query(`select pg_create_logical_replication_slot('${config.source.slot}', 'pgoutput')`);
  await source.query(`insert into items (name) values ('before')`);
  await applyTracking(config);
  const capture = startCapture({ config, log: silentLog, pace: { tickMs: TICK_MS } });
  try {
    await until('capture to stop', () => capture.status().error?.code === 'SOURCE_PUBLICATION_MISSING');
    await until(
      'a gap',
      async () => (await trail.query('select from trail.gap where to_lsn is not null')).length === 1,
    );
    const client = new pg.Client(trail.url);
    await client.connect();
    await acceptGaps(client).finally(() => client.end());
    await streaming(capture, { fromStopped: true });
    await source.query(`insert into items (name) values ('after')`);
    await untilCaughtUp(source, trail);
    expect(ofItems(await readEntries(trail))).toEqual(['after']);
  } finally {
    await capture.stop();
  }
});

test('a trail that is restored while a daemon runs is distinguished from a slot that somebody advanced', async () => {
  await using g = await ground();
  await add(g, 'a');
  await g.caughtUp();
  const [before] = await g.trail.query<{ end_lsn: string; next_id: string }>(
    `select end_lsn::text, next_id::text from trail.checkpoint`,
  );
  await add(g, 'b');
  await g.caughtUp();
  await until('the second to be acknowledged', async () => {
    const rows = await g.source.query(
      `select from pg_replication_slots where slot_name = $1 and confirmed_flush_lsn > $2::pg_lsn`,
      [slotOf(g), before!.end_lsn],
    );
    return rows.length > 0;
  });
  await g.trail.query(`begin; delete from trail.entry where id >= ${before!.next_id};
    update trail.checkpoint set end_lsn = '${before!.end_lsn}', next_id = ${before!.next_id};
    select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and application_name = 'waltrail capture'; commit`);
  const gap = await gapFound(g, 'TRAIL_RESTORED');
  expect(gap.updated!['from_lsn']).toBe(before!.end_lsn);
  await stoppedWith(g, 'TRAIL_RESTORED');
});

test('a changed shape of a tracked table is an entry before the first change in it, also across a restart', async () => {
  await using g = await ground();
  await add(g, 'a');
  await g.source.query('alter table items add column price numeric');
  await add(g, 'b');
  await g.caughtUp();
  await g.capture.stop();
  await g.source.query(
    'alter table items rename column price to cost; alter table items alter column cost type text',
  );
  await add(g, 'c');
  await g.source.query('alter table items drop column cost');
  await g.source.query(`begin; insert into items (name) values ('d');
    select pg_logical_emit_message(true, 'waltrail', '{"modifier": "late", "context": {"why": "test"}}'); commit`);
  start(g);
  await streaming(g.capture);
  const entries = await g.caughtUp();
  const shapes = ofAction(entries, 'schema_change');
  expect(shapes.map(({ previous, updated }) => [previous!['columns'], updated!['columns']])).toEqual([
    ['public.items (id int4, name text)', 'public.items (id int4, name text, price numeric)'],
    ['public.items (id int4, name text, price numeric)', 'public.items (id int4, name text, cost text)'],
    ['public.items (id int4, name text, cost text)', 'public.items (id int4, name text)'],
  ]);
  // Another entry reports that rows may have been rewritten.
  const told = entries.filter(({ action }) => action !== 'tracking');
  expect(told.map(({ action, entityName }) => (action === 'schema_change' ? '*' : entityName))).toEqual([
    'a', '*', 'b', '*', 'c', '*', 'd',
  ]); // prettier-ignore
  // The message attributes its transaction's changes, not the DDL that came before them.
  expect(told.at(-1)).toMatchObject({ modifierKey: 'late', rung: 'm' });
  expect(shapes.at(-1)).toMatchObject({ modifierKey: null, rung: 'w', extra: null });
  // The shape is that of the beginning again. After a restart it is still the newest.
  await g.restart();
  await add(g, 'e');
  expect(ofAction(await g.caughtUp(), 'schema_change')).toHaveLength(3);
});
