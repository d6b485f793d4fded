import { setTimeout as delay } from 'node:timers/promises';
import { expect, test } from '@jest/globals';
import { applyTracking, readEntries, testConfig, untilCaughtUp } from '../support/capture.ts';
import { daemonGround, type DaemonGround } from '../support/daemon.ts';
import { freshDatabase, type TestDatabase } from '../support/database.ts';
import { LOAD_SQL, LOAD_TABLES_YAML, startLoad, type Load } from '../support/load.ts';
import { judge, ORACLE_SQL, oracleOn } from '../support/oracle.ts';
import { until } from '../support/until.ts';

interface Ground extends AsyncDisposable {
  readonly source: TestDatabase;
  readonly trail: TestDatabase;
  readonly daemons: DaemonGround;
  /** Entries stored so far; -1 before the trail begins. */
  stored(): Promise<number>;
  /** Waits for entries beyond those of now. */
  storesMore(): Promise<void>;
  judgement(load: Load): Promise<void>;
}

async function ground(): Promise<Ground> {
  const source = await freshDatabase('empty');
  const trail = await freshDatabase('trail');
  await source.query(`${LOAD_SQL} ${ORACLE_SQL} ${oracleOn('accounts')} ${oracleOn('orders')}`);
  await source.query(
    `do $$ begin execute format('alter database %I set wal_sender_timeout = ''1s''', current_database()); end $$`,
  );
  const tables = `tables:${LOAD_TABLES_YAML}`;
  await applyTracking(testConfig({ source, trail, yaml: tables }));
  const daemons = await daemonGround({
    sourceUrl: source.url,
    trailUrl: trail.url,
    yaml: `
source: { name: test, url: "\${WALTRAIL_SOURCE_URL}", slot: slot_${source.name}, publication: waltrail }
trail: { url: "\${WALTRAIL_TRAIL_URL}" }
${tables}`,
  });
  const stored = async (): Promise<number> =>
    Number(
      (await trail.query<{ n: string }>(`select coalesce(max(entries), -1) as n from trail.checkpoint`))[0]!
        .n,
    );
  return {
    source,
    trail,
    daemons,
    stored,
    storesMore: async () => {
      const before = await stored();
      await until(`more than ${before} entries`, async () => (await stored()) > before, 30_000);
    },
    judgement: async (load) => {
      await load.stop();
      await untilCaughtUp(source, trail, 30_000);
      const verdict = await judge(source, await readEntries(trail));
      expect(verdict).toMatchObject({
        lost: 0,
        doubled: 0,
        outOfOrder: 0,
        wrong: 0,
        entries: verdict.changes,
      });
      expect(verdict.changes).toBeGreaterThan(100);
    },
    [Symbol.asyncDispose]: async () => {
      await daemons[Symbol.asyncDispose]();
      await trail[Symbol.asyncDispose]();
      await source[Symbol.asyncDispose]();
    },
  };
}

test('a daemon that stands still for longer than wal_sender_timeout goes on without loss', async () => {
  await using g = await ground();
  const daemon = g.daemons.start();
  await until(`the trail to begin: ${daemon.log()}`, async () => (await g.stored()) >= 0, 30_000);
  const load = startLoad({ url: g.source.url, writers: 2, seed: 7, pauseMs: 2 });
  try {
    for (let round = 0; round < 3; round++) {
      await g.storesMore();
      process.kill(daemon.pid, 'SIGSTOP');
      await until(
        'the source to give the daemon up',
        async () =>
          (
            await g.source.query(
              `select from pg_replication_slots where slot_name = 'slot_${g.source.name}' and not active`,
            )
          ).length === 1,
      );
      process.kill(daemon.pid, 'SIGCONT');
    }
    await g.storesMore();
  } finally {
    await load.stop();
  }
  await g.judgement(load);
  expect(daemon.exited).toBe(false);
}, 90_000);

test('of two daemons one captures, and the other takes over when it is killed, stopped or cut off', async () => {
  await using g = await ground();
  let [active, standby] = [g.daemons.start(), undefined as never as ReturnType<DaemonGround['start']>];
  await until('the trail to begin', async () => (await g.stored()) >= 0, 30_000);
  const load = startLoad({ url: g.source.url, writers: 2, seed: 11, pauseMs: 2 });
  try {
    for (const signal of ['SIGKILL', 'SIGTERM', 'SIGKILL'] as const) {
      standby = g.daemons.start();
      await until(
        `the second daemon to stand by: ${standby.log()}`,
        () => standby.log().includes('standing by'),
        30_000,
      );
      await g.storesMore();
      await active.kill(signal);
      await g.storesMore();
      active = standby;
    }
    // The election lock goes with the connection: whoever is elected then, the other must not write.
    standby = g.daemons.start();
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
  await g.judgement(load);
}, 120_000);
