import { afterEach, describe, expect, test } from '@jest/globals';
import pg from 'pg';
import { startCapture } from '../../src/capture/capture.js';
import { createLog, silentLog, type Log } from '../../src/log.js';
import { parseLsn } from '../../src/pg/lsn.js';
import { acceptGaps, openGap } from '../../src/trail/gaps.js';
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
import { freshDatabase, type TestDatabase } from '../support/database.ts';
import { ownServer } from '../support/server.ts';
import { until } from '../support/until.ts';

const DETECTION_LIMIT_MS = 5_000;
/** Shorter than in production, so that an accepted gap is noticed soon. */
const TICK_MS = 500;
const SCHEMA = `create table items (id int generated always as identity primary key, name text);
                create table parts (id int generated always as identity primary key, name text);`;
const YAML = `tables: { public.items: { entity: item, name: "{name}" }, public.parts: { entity: part, name: "{name}" } }`;

const ground = (of: { readonly log?: Log; readonly source?: TestDatabase } = {}) =>
  captureGround({ schemaSql: SCHEMA, yaml: YAML, options: { tickMs: TICK_MS }, ...of });
const add = (g: CaptureGround, name: string, table = 'items') =>
  g.source.query(`insert into ${table} (name) values ('${name}')`);
const walPosition = async (g: CaptureGround): Promise<string> => {
  const [row] = await g.source.query<{ lsn: string }>('select pg_current_wal_insert_lsn()::text as lsn');
  return row!.lsn;
};
const slotOf = (g: CaptureGround): string => g.config.source.slot;

const ofItems = (entries: readonly PlainEntry[]) =>
  entries
    .filter(({ operation, entityType }) => operation === 'i' && entityType !== 'waltrail')
    .map(({ entityName }) => entityName);
const own = (entries: readonly PlainEntry[]) => entries.filter(({ entityType }) => entityType === 'waltrail');
const ofAction = (entries: readonly PlainEntry[], action: string) =>
  own(entries).filter((entry) => entry.action === action);

/** Waits for the entry of a gap: found within the limit of the issue, with capture stopped for its reason. */
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

const slotFree = (g: CaptureGround) =>
  until('the slot to be free', async () => {
    const held = await g.source.query('select from pg_replication_slots where slot_name = $1 and active', [
      slotOf(g),
    ]);
    return held.length === 0;
  });

async function stopAndFree(g: CaptureGround): Promise<void> {
  await g.capture.stop();
  await slotFree(g);
}

const start = (g: CaptureGround, onGap: 'stop' | 'continue' = 'stop'): void => {
  g.capture = startCapture({
    config: { ...g.config, source: { ...g.config.source, onGap } },
    log: silentLog,
    tickMs: TICK_MS,
  });
};

/** What commits with `synchronous_commit = on` waits for a standby of this name; of no name: for none. */
async function waitForStandby(g: CaptureGround, name: string): Promise<void> {
  await g.source.query(`alter system set synchronous_standby_names = '${name}'`);
  await g.source.query('select pg_reload_conf()');
}

/** Waits until the source was looked at three more times. */
async function severalLooks(g: CaptureGround): Promise<void> {
  const starts = new Set<string>();
  await until('three looks at the source', async () => {
    const [row] = await g.source.query<{ start: string }>(
      `select query_start::text as start from pg_stat_activity where application_name = 'waltrail watch' and datname = current_database()`,
    );
    if (row !== undefined) starts.add(row.start);
    return starts.size > 3;
  });
}

/** Each does something that the stream would pass over in silence, while capture is away; `lost` is never seen again. */
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
    name: 'the slot was dropped and made anew',
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
    name: 'the publication was dropped and made anew',
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
    name: 'a table was out of the publication for a while',
    code: 'SOURCE_PUBLICATION_INCOMPLETE',
    lost: true,
    sabotage: async (g) => {
      await g.source.query('alter publication waltrail drop table items');
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

  test('is an entry within five seconds, stops capture, and is gone on after when it is accepted', async () => {
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
    // The stretch begins at or before what is lost, and behind what is stored.
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
    // And it stays so: the next start finds nothing new.
    await g.restart();
    await add(g, 'last');
    expect(ofItems(await g.caughtUp()).at(-1)).toBe('last');
    expect(ofAction(await g.entries(), 'gap')).toHaveLength(1);
  });

  test('is gone on after at once where the YAML says continue', async () => {
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

describe('a process that ended while it went on after an accepted gap does not ask for a second acceptance', () => {
  test.each([
    [
      'when it had made a new slot',
      'SOURCE_SLOT_LOST',
      async (g: CaptureGround) => {
        await add(g, 'lost');
        await g.source.query(`select pg_create_logical_replication_slot('${slotOf(g)}', 'pgoutput')`);
      },
    ],
    ['when it had dropped the invalid one', 'SOURCE_SLOT_INVALID', (g: CaptureGround) => add(g, 'lost')],
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

test('a row that the source cannot send stops capture, and its remedy leads past it by way of a gap', async () => {
  await using g = await ground();
  await add(g, 'before');
  await g.caughtUp();
  // 600 MB as a row, and 1.2 GB in hexadecimal: more than PostgreSQL can put into one message.
  await g.source.query(`alter table items add column more bytea, add column other bytea`);
  await g.source.query(
    `insert into items (name, more, other)
     select 'lost', half, half from (select convert_to(repeat('x', 300 * 1024 * 1024), 'utf8')) of (half)`,
  );
  await add(g, 'behind it');
  await until('capture to stop', () => g.capture.status().error?.code === 'SOURCE_ROW_TOO_LARGE', 120_000);
  expect(g.capture.status().state).toBe('stopped');
  const where = /after ([0-9A-F]+\/[0-9A-F]+)|commits at ([0-9A-F]+\/[0-9A-F]+)/.exec(
    g.capture.status().error!.message,
  );
  expect(where).not.toBeNull();
  await slotFree(g);
  await g.source.query(`select pg_replication_slot_advance('${slotOf(g)}', pg_current_wal_flush_lsn())`);
  await gapFound(g, 'SOURCE_SLOT_AHEAD');
  await accept(g);
  await streaming(g.capture, { fromStopped: true });
  await add(g, 'after');
  const entries = await g.caughtUp();
  expect(ofItems(entries)).toEqual(['before', 'after']);
}, 240_000);

describe('while capture streams', () => {
  test.each([
    ['the publication is dropped', 'drop publication waltrail', 'SOURCE_PUBLICATION_MISSING', null],
    [
      'a table is taken out of the publication',
      'alter publication waltrail drop table items',
      'SOURCE_PUBLICATION_INCOMPLETE',
      'public.items',
    ],
    [
      'a table gets a row filter',
      'alter publication waltrail set table items where (id > 1000), parts',
      'SOURCE_PUBLICATION_INCOMPLETE',
      'public.items',
    ],
    [
      'the publication stops publishing deletes',
      `alter publication waltrail set (publish = 'insert, update, truncate')`,
      'SOURCE_PUBLICATION_INCOMPLETE',
      null,
    ],
  ])('%s: an entry within five seconds, with the stretch and the tables', async (_, sql, code, tables) => {
    await using g = await ground();
    await add(g, 'before');
    await g.caughtUp();
    const [position] = await g.source.query<{ lsn: string }>(
      `select pg_current_wal_insert_lsn()::text as lsn`,
    );
    await g.source.query(sql);
    const { updated } = await gapFound(g, code);
    await stoppedWith(g, code);
    expect(updated!['tables']).toBe(tables);
    // A look before the last good one, or that of the start: at most what was written in a few seconds.
    expect(parseLsn(updated!['from_lsn']!)).toBeLessThanOrEqual(parseLsn(position!.lsn));
    expect(g.capture.status().error!.remedy).toContain('waltrail gaps --accept');
  });

  test('a table that the YAML does not name any more is no reason to stop', async () => {
    await using g = await ground();
    await g.source.query('alter publication waltrail drop table parts');
    await gapFound(g, 'SOURCE_PUBLICATION_INCOMPLETE');
    await g.capture.stop();
    g.capture = startCapture({
      config: { ...g.config, tables: g.config.tables.filter(({ pattern }) => pattern !== 'public.parts') },
      log: silentLog,
    });
    await streaming(g.capture);
    await add(g, 'after');
    expect(ofItems(await g.caughtUp())).toEqual(['after']);
  });

  test('a weaker replica identity stops capture, is an entry, and nothing is lost when it is mended', async () => {
    const logged: string[] = [];
    await using g = await ground({
      log: createLog({ level: 'warn', destination: { write: (line) => void logged.push(line) } }),
    });
    await g.source.query('alter table items replica identity default');
    await stoppedWith(g, 'SOURCE_REPLICA_IDENTITY');
    await add(g, 'meanwhile');
    await applyTracking(g.config);
    await streaming(g.capture, { fromStopped: true });
    const entries = await g.caughtUp();
    expect(ofItems(entries)).toEqual(['meanwhile']);
    expect(
      ofAction(entries, 'tracking').map(({ entityName, previous, updated }) => [
        entityName,
        previous,
        updated,
      ]),
    ).toEqual([
      ['public.items', { change: 'replica identity full' }, { change: 'replica identity default' }],
      ['public.items', { change: 'replica identity default' }, { change: 'replica identity full' }],
    ]);
    // The writer began behind the last of these entries.
    expect(logged.filter((line) => line.includes('TRAIL_FENCED'))).toEqual([]);
  });

  test('a renamed table stops capture, is an entry, and what both names saw is in the trail once the YAML has the new one', async () => {
    await using g = await ground();
    await add(g, 'before');
    await g.source.query(
      "begin; alter table items rename to things; insert into things (name) values ('within'); commit",
    );
    await stoppedWith(g, 'TRACKING_TABLE_UNKNOWN');
    await add(g, 'after', 'things');
    await g.capture.stop();
    g.capture = startCapture({
      config: {
        ...g.config,
        tables: g.config.tables.map((rule) =>
          rule.pattern === 'public.items' ? { ...rule, pattern: 'public.things' } : rule,
        ),
      },
      log: silentLog,
    });
    await streaming(g.capture);
    const entries = await g.caughtUp();
    expect(ofItems(entries)).toEqual(['before', 'within', 'after']);
    expect(
      ofAction(entries, 'tracking').map(({ entityName, previous, updated }) => [
        entityName,
        previous!['change'],
        updated!['change'],
      ]),
    ).toEqual([['public.things', 'public.items', 'public.things']]);
  });

  test('a tracked table whose name another takes is a gap, and it lasts until that one is published', async () => {
    await using g = await ground();
    await add(g, 'before');
    await g.caughtUp();
    await g.source
      .query(`begin; create table other (like items including all); alter table items rename to items_old;
      alter table other rename to items; alter table items replica identity full; commit`);
    await add(g, 'lost');
    const gap = await gapFound(g, 'SOURCE_PUBLICATION_INCOMPLETE');
    expect(gap.updated!['tables']).toBe('public.items');
    await applyTracking(g.config);
    await stoppedWith(g, 'SOURCE_PUBLICATION_INCOMPLETE');
    await accept(g);
    await streaming(g.capture, { fromStopped: true });
    await add(g, 'after');
    expect(ofItems(await g.caughtUp())).toEqual(['before', 'after']);
  });

  test('the end of a gap is behind transactions that changed something while a table was not published', async () => {
    await using g = await ground();
    const long = new pg.Client(g.source.url);
    await long.connect();
    await g.source.query('alter publication waltrail drop table items');
    await gapFound(g, 'SOURCE_PUBLICATION_INCOMPLETE');
    await long.query(`begin; insert into items (name) values ('lost')`);
    await applyTracking(g.config);
    await accept(g);
    await until('the daemon to wait', async () => {
      const { length } = await g.source.query(
        `select from pg_stat_activity where application_name = 'waltrail checks' and datname = current_database() and query like '%transactionid%'`,
      );
      return length > 0;
    });
    await long.query('commit');
    const committed = await walPosition(g);
    await long.end();
    await streaming(g.capture, { fromStopped: true });
    await add(g, 'after');
    const entries = await g.caughtUp();
    expect(ofItems(entries)).toEqual(['after']);
    const [closed] = ofAction(entries, 'gap_closed');
    expect(parseLsn(closed!.updated!['to_lsn']!)).toBeGreaterThanOrEqual(parseLsn(committed));
  });

  test('a change of the publication is a gap from its commit on, also when a synchronous standby kept it from being seen', async () => {
    const server = await ownServer('source', { synchronous_commit: 'local' });
    await using g = await ground({ source: server.database });
    await waitForStandby(g, 'nobody');
    const waiting = new pg.Client(g.source.url);
    await waiting.connect();
    await waiting.query('set synchronous_commit = on');
    const before = await walPosition(g);
    const altered = waiting.query('alter publication waltrail drop table items');
    await until('the commit to wait for its standby', async () => {
      const { length } = await g.source.query(`select from pg_stat_activity where wait_event = 'SyncRep'`);
      return length === 1;
    });
    await add(g, 'lost');
    await severalLooks(g);
    expect(g.capture.status().state).toBe('streaming');
    await waitForStandby(g, '');
    await altered;
    await waiting.end();
    const { updated } = await gapFound(g, 'SOURCE_PUBLICATION_INCOMPLETE');
    expect(parseLsn(updated!['from_lsn']!)).toBeLessThanOrEqual(parseLsn(before));
    expect(ofItems(await g.entries())).toEqual([]);
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
    await until('the gap to go on', async () => !(await ended()));
    await applyTracking(g.config);
    await accept(g);
    await streaming(g.capture, { fromStopped: true });
    await add(g, 'after');
    const entries = await g.caughtUp();
    expect(ofItems(entries)).toEqual(['kept', 'after']);
    expect(own(entries).map(({ action }) => action)).toEqual(['gap', 'gap_closed']);
  });
});

test('what was changed on a slot before its publication was made is a gap, and not a loop', async () => {
  await using source = await freshDatabase('empty');
  await using trail = await freshDatabase('trail');
  await source.query(SCHEMA);
  const config = testConfig({ source, trail, yaml: YAML });
  await source.query(`select pg_create_logical_replication_slot('${config.source.slot}', 'pgoutput')`);
  await source.query(`insert into items (name) values ('before')`);
  await applyTracking(config);
  const capture = startCapture({ config, log: silentLog, tickMs: TICK_MS });
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

test('a trail that is restored under a running daemon is told from a slot that somebody advanced', async () => {
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
  expect(entries.map(({ action, entityName }) => (action === 'schema_change' ? '*' : entityName))).toEqual([
    'a', '*', 'b', '*', 'c', '*', 'd',
  ]); // prettier-ignore
  // The message attributes its transaction's changes, not the DDL that came before them.
  expect(entries.at(-1)).toMatchObject({ modifierKey: 'late', rung: 'm' });
  expect(shapes.at(-1)).toMatchObject({ modifierKey: null, rung: 'w', extra: null });
  // The shape is that of the beginning again: after a restart that is still the newest.
  await g.restart();
  await add(g, 'e');
  expect(ofAction(await g.caughtUp(), 'schema_change')).toHaveLength(3);
});
