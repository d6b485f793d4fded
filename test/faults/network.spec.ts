import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, test } from '@jest/globals';
import pg from 'pg';
import type { Capture } from '../../src/capture/capture.js';
import { streaming } from '../support/capture.ts';
import { freshDatabase } from '../support/database.ts';
import { startLoad, STEADY } from '../support/load.ts';
import { until } from '../support/until.ts';
import {
  faultGround,
  note,
  notes,
  ownSource,
  streamingGround,
  TICK_MS,
  untilError,
  type FaultGround,
} from './ground.ts';

const stopMs = async (capture: Capture): Promise<number> => {
  const began = performance.now();
  await capture.stop();
  return performance.now() - began;
};

/** Returns the server process of the stream. A reconnect gets another one. */
const walsender = (g: FaultGround) =>
  g.source.query(`select active_pid from pg_replication_slots where slot_name = $1`, [g.slot]);

describe('a dead connection', () => {
  test('to the source is given up and replaced, and nothing is lost', async () => {
    await using g = await streamingGround();
    await note(g.source, 'before');
    await g.caughtUp();
    g.toSource.blackhole();
    await note(g.source, 'meanwhile');
    await untilError(g.capture, 'SOURCE_DISCONNECTED');
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
    await using g = await streamingGround();
    await note(g.source, 'before');
    await g.caughtUp();
    g.toTrail.blackhole();
    await note(g.source, 'meanwhile');
    await untilError(g.capture, 'TRAIL_DISCONNECTED');
    g.toTrail.pass();
    await note(g.source, 'after');
    expect(notes(await g.caughtUp())).toEqual(['before', 'meanwhile', 'after']);
    await streaming(g.capture);
  });

  test('to the trail is given up equally soon while a buffer still accepts data', async () => {
    await using g = await streamingGround();
    await note(g.source, 'before');
    await g.caughtUp();
    g.toTrail.blackhole();
    let count = 0;
    const limit = performance.now() + 3 * 12 * TICK_MS;
    while (g.capture.status().error === null && performance.now() < limit) {
      // Large enough to be sent, and too small to fill the buffers on the way.
      await note(g.source, 'meanwhile '.repeat(10_000) + count++);
      await delay(400);
    }
    expect(g.capture.status().error).toMatchObject({ code: 'TRAIL_DISCONNECTED' });
    g.toTrail.pass();
    expect(notes(await g.caughtUp())).toHaveLength(1 + count);
  });

  test('to the trail is given up in the middle of a transaction larger than the buffers', async () => {
    // The limit is longer than the time that the source needs for the transaction on a busy machine, in which
    // it is silent.
    await using g = await streamingGround({ tickMs: 500 });
    g.toTrail.blackhole();
    // Few long rows: the source and later readers process them faster than many short ones.
    await g.source.query(
      `insert into orders (account_id, item) select 1 + i % 200, i || repeat(' an item with a long name', 200) from generate_series(1, 2000) i`,
    );
    await untilError(g.capture, 'TRAIL_DISCONNECTED');
    g.toTrail.pass();
    const entries = await g.caughtUp();
    expect(entries.map(({ seq }) => seq)).toEqual(Array.from({ length: 2_000 }, (_, index) => index));
  });

  test('a source that has nothing to send is not taken for a dead one', async () => {
    // On separate servers: the trail's commits would otherwise be WAL that the source has to report.
    await using server = await ownSource({ autovacuum: 'off' });
    await using g = await streamingGround({ servers: { source: server } });
    const before = await walsender(g);
    await note(g.source, 'the last that happens');
    await until('all that is written to be acknowledged', async () => {
      const rows = await g.source.query(
        `select from pg_replication_slots where slot_name = $1 and confirmed_flush_lsn = pg_current_wal_insert_lsn()`,
        [g.slot],
      );
      return rows.length === 1;
    });
    await delay(TICK_MS * 12 * 2.5);
    expect(g.capture.status()).toMatchObject({ state: 'streaming', error: null });
    expect(await walsender(g)).toEqual(before);
  });
});

describe('wal_sender_timeout', () => {
  test('does not end a connection on which nothing happens', async () => {
    await using g = await streamingGround({ senderTimeout: '1s', tickMs: 60_000 });
    const before = await walsender(g);
    await delay(3_000);
    expect(await walsender(g)).toEqual(before);
    expect(g.capture.status()).toMatchObject({ state: 'streaming', error: null });
  });

  test('does not end a connection that is not read because the trail is behind', async () => {
    await using g = await streamingGround({ senderTimeout: '2s', tickMs: 1_000 });
    const before = await walsender(g);
    const lock = new pg.Client(g.trail.url);
    await lock.connect();
    await lock.query('begin; lock table trail.entry in access exclusive mode');
    // Far more than capture and the kernel buffer. The transactions are too small to be sent while they run,
    // because those are read into the spool.
    for (let part = 0; part < 8; part++)
      await g.source.query(
        `insert into orders (account_id, item) select 1 + i % 200, repeat('an item with a long name ', 600) || i from generate_series(1, 500) i`,
      );
    let held = performance.now();
    await until('the source to be held back for longer than its timeout', async () => {
      const rows = await g.source.query(
        `select from pg_stat_activity join pg_replication_slots on active_pid = pid where slot_name = $1 and wait_event = 'WalSenderWriteData'`,
        [g.slot],
      );
      if (rows.length === 0) held = performance.now();
      return performance.now() - held > 3_000;
    });
    await lock.query('rollback');
    await lock.end();
    await g.exact({ atLeast: 4_000 });
    expect(await walsender(g)).toEqual(before);
  });
});

describe('stop', () => {
  test.each(['source', 'trail'] as const)('ends soon even if the %s is silent', async (which) => {
    await using g = await streamingGround();
    (which === 'source' ? g.toSource : g.toTrail).blackhole();
    await note(g.source, 'x');
    await delay(50);
    expect(await stopMs(g.capture)).toBeLessThan(8_000);
  });

  test.each(['source', 'trail'] as const)(
    'ends at once even if the %s does not answer a session that is being opened',
    async (which) => {
      await using g = await streamingGround();
      await g.capture.stop();
      const proxy = which === 'source' ? g.toSource : g.toTrail;
      proxy.blackhole();
      g.startCapture();
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
    await using g = await faultGround();
    g.startCapture();
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

describe('a slow connection', () => {
  test.each(['source', 'trail'] as const)(
    'to the %s slows capture down and does not end it',
    async (which) => {
      // The transfer takes longer than twelve ticks, and transfers more than the invisible buffers on the way
      // hold.
      await using g = await streamingGround({ tickMs: 200 });
      (which === 'source' ? g.toSource : g.toTrail).throttle(8_000_000);
      await g.source.query(
        `insert into orders (account_id, item) select 1 + i % 200, repeat('an item with a long name ', 1100) || i from generate_series(1, 1500) i`,
      );
      await g.exact({ atLeast: 1_500 });
      expect(g.capture.status().error).toBeNull();
    },
  );
});

describe('under load, again and again', () => {
  test.each([
    ['source', 'reset'],
    ['source', 'halfClose'],
    ['source', 'blackhole'],
    ['trail', 'reset'],
    ['trail', 'halfClose'],
    ['trail', 'blackhole'],
  ] as const)('a connection to the %s that meets %s costs no change', async (which, fault) => {
    await using g = await streamingGround({ senderTimeout: '1s' });
    const proxy = which === 'source' ? g.toSource : g.toTrail;
    await using load = startLoad({ url: g.source.url, seed: 42, ...STEADY });
    for (let round = 0; round < 3; round++) {
      await g.storesMore();
      await delay(50 * round);
      proxy[fault]();
      if (fault === 'blackhole') {
        await until('the silence to be noticed', () => g.capture.status().error !== null);
        proxy.pass();
      }
    }
    await g.storesMore();
    await g.exact({ load, atLeast: 100 });
    expect(load.bulks()).toBeGreaterThan(0);
  });
});
