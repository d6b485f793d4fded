import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, test } from '@jest/globals';
import pg from 'pg';
import { startCapture, type Capture } from '../../src/capture/capture.js';
import { silentLog } from '../../src/log.js';
import {
  applyTracking,
  readEntries,
  streaming,
  testConfig,
  untilCaughtUp,
  type PlainEntry,
} from '../support/capture.ts';
import { freshDatabase, type TestDatabase } from '../support/database.ts';
import { LOAD_SQL, LOAD_TABLES_YAML, startLoad } from '../support/load.ts';
import { judge, ORACLE_SQL, oracleOn } from '../support/oracle.ts';
import { faultyProxy, type FaultyProxy } from '../support/proxy.ts';
import { until } from '../support/until.ts';

/** Twelve of them make a connection dead: 2.4 s instead of a minute. */
const TICK_MS = 200;

interface Ground extends AsyncDisposable {
  readonly source: TestDatabase;
  readonly trail: TestDatabase;
  readonly toSource: FaultyProxy;
  readonly toTrail: FaultyProxy;
  capture: Capture;
  caughtUp(): Promise<PlainEntry[]>;
}

async function ground(options: { readonly begin?: boolean; readonly tickMs?: number } = {}): Promise<Ground> {
  const source = await freshDatabase('empty');
  const trail = await freshDatabase('trail');
  await source.query(`${LOAD_SQL} ${ORACLE_SQL} ${oracleOn('accounts')} ${oracleOn('orders')}`);
  await source.query(
    `do $$ begin execute format('alter database %I set wal_sender_timeout = ''3s''', current_database()); end $$`,
  );
  const toSource = await faultyProxy(source.url);
  const toTrail = await faultyProxy(trail.url);
  const yaml = `tables: ${LOAD_TABLES_YAML}`;
  await applyTracking(testConfig({ source, trail, yaml }));
  const config = testConfig({
    source: { ...source, url: toSource.through(source.url) },
    trail: { ...trail, url: toTrail.through(trail.url) },
    yaml,
  });
  const start = (): Capture => startCapture({ config, log: silentLog, tickMs: options.tickMs ?? TICK_MS });
  const g: Ground = {
    source,
    trail,
    toSource,
    toTrail,
    capture: start(),
    caughtUp: async () => {
      await untilCaughtUp(source, trail, 25_000);
      return readEntries(trail);
    },
    [Symbol.asyncDispose]: async () => {
      toSource.pass();
      toTrail.pass();
      await g.capture.stop();
      await toSource[Symbol.asyncDispose]();
      await toTrail[Symbol.asyncDispose]();
      await trail[Symbol.asyncDispose]();
      await source[Symbol.asyncDispose]();
    },
  };
  if (options.begin !== false) await streaming(g.capture);
  return g;
}

const stopMs = async (capture: Capture): Promise<number> => {
  const began = performance.now();
  await capture.stop();
  return performance.now() - began;
};

const note = (source: TestDatabase, text: string) =>
  source.query(`update accounts set note = '${text}' where id = 1`);
const notes = (entries: readonly PlainEntry[]) => entries.map(({ updated }) => updated!['note']);

describe('a dead connection', () => {
  test('to the source is given up and replaced, and nothing is lost', async () => {
    await using g = await ground();
    await note(g.source, 'before');
    await g.caughtUp();
    g.toSource.blackhole();
    await note(g.source, 'meanwhile');
    await until('the silence to be noticed', () => g.capture.status().error?.code === 'SOURCE_DISCONNECTED');
    expect(g.capture.status()).toMatchObject({
      state: 'reconnecting',
      error: { message: expect.stringContaining('silent') },
    });
    g.toSource.pass();
    await note(g.source, 'after');
    expect(notes(await g.caughtUp())).toEqual(['before', 'meanwhile', 'after']);
    await streaming(g.capture);
  });

  test('to the trail is given up while a commit is waited for, and nothing is lost or stored twice', async () => {
    await using g = await ground();
    await note(g.source, 'before');
    await g.caughtUp();
    g.toTrail.blackhole();
    await note(g.source, 'meanwhile');
    await until('the silence to be noticed', () => g.capture.status().error !== null);
    expect(g.capture.status().error).toMatchObject({ code: 'TRAIL_DISCONNECTED' });
    g.toTrail.pass();
    await note(g.source, 'after');
    expect(notes(await g.caughtUp())).toEqual(['before', 'meanwhile', 'after']);
    await streaming(g.capture);
  });

  test('to the trail is given up in the middle of a transaction larger than the buffers', async () => {
    await using g = await ground();
    g.toTrail.blackhole();
    await g.source.query(
      `insert into orders (account_id, item) select 1 + i % 200, 'an item with a long name ' || i from generate_series(1, 60000) i`,
    );
    await until('the silence to be noticed', () => g.capture.status().error?.code === 'TRAIL_DISCONNECTED');
    g.toTrail.pass();
    const entries = await g.caughtUp();
    expect(entries.map(({ seq }) => seq)).toEqual(Array.from({ length: 60_000 }, (_, index) => index));
  });

  test('a source that has nothing to say is not taken for a dead one', async () => {
    await using g = await ground();
    const walsender = () =>
      g.source.query(`select active_pid from pg_replication_slots where slot_name = 'slot_${g.source.name}'`);
    const before = await walsender();
    await delay(TICK_MS * 12 * 2.5);
    expect(g.capture.status()).toMatchObject({ state: 'streaming', error: null });
    expect(await walsender()).toEqual(before);
  });
});

describe('stop', () => {
  test.each(['source', 'trail'] as const)('ends soon though the %s is silent', async (which) => {
    await using g = await ground();
    (which === 'source' ? g.toSource : g.toTrail).blackhole();
    await note(g.source, 'x');
    await delay(50);
    expect(await stopMs(g.capture)).toBeLessThan(8_000);
  });

  test.each(['source', 'trail'] as const)(
    'ends at once while a session is opened that the %s does not answer',
    async (which) => {
      await using g = await ground();
      await g.capture.stop();
      const proxy = which === 'source' ? g.toSource : g.toTrail;
      proxy.blackhole();
      const config = testConfig({
        source: { ...g.source, url: g.toSource.through(g.source.url) },
        trail: { ...g.trail, url: g.toTrail.through(g.trail.url) },
        yaml: `tables: ${LOAD_TABLES_YAML}`,
      });
      g.capture = startCapture({ config, log: silentLog });
      const before = proxy.connections();
      await until('a connection to be tried', () => proxy.connections() > before);
      expect(await stopMs(g.capture)).toBeLessThan(2_500);
    },
  );

  test('ends at once while a new slot waits for a transaction that runs on the source', async () => {
    const source = await freshDatabase('empty');
    const client = new pg.Client(source.url);
    await client.connect();
    await client.query(`create table t (id int); begin; insert into t values (1)`);
    await using g = await ground({ begin: false });
    await until(
      'the slot to wait',
      async () =>
        (
          await g.source.query(
            `select from pg_stat_activity where application_name = 'waltrail capture' and query like 'CREATE_REPLICATION_SLOT%' and wait_event_type = 'Lock'`,
          )
        ).length > 0,
    );
    expect(await stopMs(g.capture)).toBeLessThan(2_500);
    await client.query('rollback');
    await client.end();
    await source[Symbol.asyncDispose]();
  });
});

test('a trail that takes little at a time slows capture down and does not end it', async () => {
  // What waits in the buffers on the way is seen by nobody: dead has to mean longer than they take to empty.
  await using g = await ground({ tickMs: 1_000 });
  g.toTrail.throttle(2_000_000);
  await g.source.query(
    `insert into orders (account_id, item) select 1 + i % 200, 'an item with a long name ' || i from generate_series(1, 30000) i`,
  );
  const entries = await g.caughtUp();
  expect(entries).toHaveLength(30_000);
  expect(g.capture.status().error).toBeNull();
});

test('connections that are reset or half closed again and again under load lose, double and reorder nothing', async () => {
  await using g = await ground();
  const load = startLoad({ url: g.source.url, writers: 2, seed: 42 });
  try {
    for (let round = 0; round < 8; round++) {
      await streaming(g.capture);
      await delay(100 + 40 * round);
      if (round % 4 === 0) g.toSource.reset();
      else if (round % 4 === 1) g.toTrail.reset();
      else if (round % 4 === 2) g.toSource.halfClose();
      else g.toTrail.halfClose();
    }
  } finally {
    await load.stop();
  }
  const verdict = await judge(g.source, await g.caughtUp());
  expect(verdict).toMatchObject({ lost: 0, doubled: 0, outOfOrder: 0, wrong: 0, entries: verdict.changes });
  expect(verdict.changes).toBeGreaterThan(100);
}, 60_000);
