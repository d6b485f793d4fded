import { setTimeout as delay } from 'node:timers/promises';
import { expect, test } from '@jest/globals';
import { applyTracking, readEntries, testConfig, untilCaughtUp } from '../support/capture.ts';
import { daemonGround } from '../support/daemon.ts';
import { freshDatabase } from '../support/database.ts';
import { LOAD_SQL, LOAD_TABLES_YAML, startLoad } from '../support/load.ts';
import { judge, ORACLE_SQL, oracleOn } from '../support/oracle.ts';
import { until } from '../support/until.ts';

const KILLS = Number(process.env.WALTRAIL_TEST_KILLS ?? 10);
const SEED = Number(process.env.WALTRAIL_TEST_SEED ?? Date.now() % 1_000_000);

test(`a daemon killed ${KILLS} times under load stores every change once, with its values, in commit order (seed ${SEED})`, async () => {
  await using source = await freshDatabase('empty');
  await using trail = await freshDatabase('trail');
  await source.query(`${LOAD_SQL} ${ORACLE_SQL} ${oracleOn('accounts')} ${oracleOn('orders')}`);
  const tables = `tables:${LOAD_TABLES_YAML}`;
  await applyTracking(testConfig({ source, trail, yaml: tables }));
  const yaml = `
source: { name: test, url: "\${WALTRAIL_SOURCE_URL}", slot: slot_${source.name}, publication: waltrail }
trail: { url: "\${WALTRAIL_TRAIL_URL}" }
${tables}`;
  await using daemons = await daemonGround({ sourceUrl: source.url, trailUrl: trail.url, yaml });

  const stored = async (): Promise<number> =>
    Number(
      (await trail.query<{ n: string }>(`select coalesce(max(entries), -1) as n from trail.checkpoint`))[0]!
        .n,
    );

  let daemon = daemons.start();
  // The trail begins at the slot's consistent point: a change before that is not the daemon's to have.
  await until('the first daemon to begin the trail', async () => {
    if (daemon.exited) throw new Error(`the daemon ended: ${daemon.log()}`);
    return (await stored()) === 0;
  });
  const load = startLoad({ url: source.url, writers: 3, seed: SEED });
  try {
    for (let kill = 0; kill < KILLS; kill++) {
      const before = await stored();
      await until(
        `entries to be stored before kill ${kill + 1}: ${daemon.log()}`,
        async () => (await stored()) > before,
        30_000,
      );
      await delay((kill * 37) % 150);
      await daemon.kill('SIGKILL');
      daemon = daemons.start();
    }
  } finally {
    await load.stop();
  }
  await untilCaughtUp(source, trail, 60_000);
  await daemon.kill('SIGTERM');

  const verdict = await judge(source, await readEntries(trail));
  expect(verdict).toMatchObject({ lost: 0, doubled: 0, outOfOrder: 0, wrong: 0, entries: verdict.changes });
  expect(verdict.changes).toBeGreaterThan(KILLS * 20);
}, 240_000);
