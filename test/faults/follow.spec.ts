import { setTimeout as delay } from 'node:timers/promises';
import { expect, test } from '@jest/globals';
import { untilCaughtUp } from '../support/capture.ts';
import { startLoad } from '../support/load.ts';
import { majorVersion } from '../support/database.ts';
import { judgeMigrated, MIGRATOR_SQL, MIGRATOR_YAML, startMigrator } from '../support/migrator.ts';
import { faultGround } from './ground.ts';

/** Set by `npm run test:faults`. Without it, as in `npm test`, a small part runs. */
const FULL = process.env['WALTRAIL_TEST_FAULTS'] === 'full';
const SECONDS = Number(process.env['WALTRAIL_TEST_FOLLOW_SECONDS'] ?? (FULL ? 600 : 20));
const SEED = Number(process.env['WALTRAIL_TEST_SEED'] ?? Date.now() % 1_000_000);
/** Time between two kills of the daemon. */
const KILL_MS = 7_000;

const say = (line: string): void => void process.stderr.write(`follow: ${line}\n`);

test(
  `new tables are followed for ${SECONDS} s of migrations, with kills: no row is lost, no gap, no write refused (seed ${SEED})`,
  async () => {
    await using g = await faultGround({
      sql: MIGRATOR_SQL,
      sourceYaml: ', event_trigger: true, on_new_table: follow',
      tablesYaml: MIGRATOR_YAML,
    });
    if ((await majorVersion(g.source)) < 15) return;
    let daemon = await g.startDaemon();
    await using load = startLoad({ url: g.source.url, writers: 2, seed: SEED, pauseMs: 25, bulk: 200 });
    const migrator = startMigrator({
      url: g.source.url,
      trail: g.trail,
      config: g.direct,
      seed: SEED,
      pauseMs: 5,
      followed: true,
    });
    const until = performance.now() + SECONDS * 1_000;
    try {
      while (performance.now() < until) {
        await delay(Math.min(KILL_MS, until - performance.now()));
        await daemon.kill('SIGKILL');
        daemon = g.daemons.start();
      }
      await load.stop(SECONDS);
    } finally {
      await migrator.stop();
    }
    await untilCaughtUp(g.source, g.trail, 120_000);
    await daemon.kill('SIGTERM');
    const migrated = await judgeMigrated({ source: g.source, trail: g.trail });
    say(`seed ${SEED}: ${JSON.stringify({ ...Object.fromEntries(migrator.counts), ...migrated })}`);
    expect(migrated).toMatchObject({ lost: 0, doubled: 0, wrong: 0, unknown: 0, inGaps: 0 });
    expect(migrated.stored).toBeGreaterThan(SECONDS);
    expect(migrator.refused).toEqual([]);
    // If a column gets another type, no rows are sent: that gap is correct.
    expect(
      await g.trail.query(`select code, tables from trail.gap where code <> 'SOURCE_TABLE_REWRITTEN'`),
    ).toEqual([]);
  },
  180_000 + SECONDS * 2_000,
);
