import { setTimeout as delay } from 'node:timers/promises';
import { expect, test } from '@jest/globals';
import { startLoad, STEADY } from '../support/load.ts';
import { until } from '../support/until.ts';
import pg from 'pg';
import { faultGround, note, streamingGround } from './ground.ts';

test('a daemon that stands still for longer than wal_sender_timeout resumes without loss', async () => {
  await using g = await faultGround({ senderTimeout: '1s' });
  const daemon = await g.startDaemon();
  await using load = startLoad({ url: g.source.url, seed: 7, ...STEADY, bulk: 0 });
  for (let round = 0; round < 3; round++) {
    await g.storesMore();
    process.kill(daemon.pid, 'SIGSTOP');
    await until(
      'the source to give the daemon up',
      async () =>
        (
          await g.source.query(`select from pg_replication_slots where slot_name = $1 and not active`, [
            g.slot,
          ])
        ).length === 1,
    );
    process.kill(daemon.pid, 'SIGCONT');
  }
  await g.storesMore();
  await g.exact({ load, atLeast: 100 });
  expect(daemon.exited).toBe(false);
});

test('of two daemons one captures, and the other takes over when it is killed, stopped or cut off', async () => {
  await using g = await faultGround({ senderTimeout: '1s' });
  let active = await g.startDaemon();
  await using load = startLoad({ url: g.source.url, seed: 11, ...STEADY, bulk: 0 });
  for (const signal of ['SIGKILL', 'SIGTERM', 'SIGKILL'] as const) {
    const standby = g.daemons.start();
    await until(`the second daemon to stand by: ${standby.log()}`, () =>
      standby.log().includes('standing by'),
    );
    await g.storesMore();
    await active.kill(signal);
    await g.storesMore();
    active = standby;
  }
  // The election lock ends with its connection. Whoever is elected then, the other daemon must not write.
  g.daemons.start();
  for (let round = 0; round < 4; round++) {
    await g.storesMore();
    await g.trail.query(
      `select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and application_name = 'waltrail capture'`,
    );
    await delay(50 * round);
  }
  await g.storesMore();
  await g.exact({ load, atLeast: 100 });
});

test('a writer that comes second to the checkpoint stores nothing of what the first has stored', async () => {
  await using g = await streamingGround();
  await note(g.source, 'a');
  await g.caughtUp();
  const first = new pg.Client(g.trail.url);
  await first.connect();
  await first.query('begin; select from trail.checkpoint for update');
  await note(g.source, 'b');
  const [after] = await g.source.query<{ lsn: string }>('select pg_current_wal_insert_lsn()::text as lsn');
  await until('the second writer to wait at the checkpoint', async () => {
    const waiting = await g.trail.query(
      `select from pg_stat_activity where datname = current_database() and application_name = 'waltrail capture' and wait_event_type = 'Lock'`,
    );
    return waiting.length > 0;
  });
  // Acts like another daemon that was elected and read the same transaction.
  await first.query(
    `insert into trail.entry
       select (jsonb_populate_record(e, jsonb_build_object('id', c.next_id, 'commit_lsn', c.end_lsn, 'updated', replace(e.updated, 'a', 'b')))).*
         from trail.entry e, trail.checkpoint c`,
  );
  await first.query(
    `select trail.advance(source, end_lsn, next_id, $1, next_id + 1, 1, now()) from trail.checkpoint`,
    [after!.lsn],
  );
  await first.query('commit');
  await first.end();
  await note(g.source, 'c');
  expect((await g.caughtUp()).map(({ updated }) => updated!['note'])).toEqual(['a', 'b', 'c']);
});
