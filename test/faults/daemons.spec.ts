import { setTimeout as delay } from 'node:timers/promises';
import { expect, test } from '@jest/globals';
import { startLoad } from '../support/load.ts';
import { until } from '../support/until.ts';
import { faultGround } from './ground.ts';

test('a daemon that stands still for longer than wal_sender_timeout goes on without loss', async () => {
  await using g = await faultGround({ senderTimeout: '1s' });
  const daemon = await g.startDaemon();
  const load = startLoad({ url: g.source.url, writers: 2, seed: 7, pauseMs: 2 });
  try {
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
  } finally {
    await load.stop();
  }
  await g.exact({ load, atLeast: 100 });
  expect(daemon.exited).toBe(false);
});

test('of two daemons one captures, and the other takes over when it is killed, stopped or cut off', async () => {
  await using g = await faultGround({ senderTimeout: '1s' });
  let active = await g.startDaemon();
  const load = startLoad({ url: g.source.url, writers: 2, seed: 11, pauseMs: 2 });
  try {
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
    // The election lock goes with the connection: whoever is elected then, the other must not write.
    g.daemons.start();
    for (let round = 0; round < 4; round++) {
      await g.storesMore();
      await g.trail.query(
        `select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and application_name = 'waltrail capture'`,
      );
      await delay(50 * round);
    }
    await g.storesMore();
  } finally {
    await load.stop();
  }
  await g.exact({ load, atLeast: 100 });
});
