import { setTimeout as delay } from 'node:timers/promises';
import { expect, test } from '@jest/globals';
import { startCapture } from '../../src/capture/capture.js';
import { silentLog } from '../../src/log.js';
import { migrateTrail } from '../../src/trail/migrate.js';
import { applyTracking, readEntries, streaming, testConfig, untilCaughtUp } from '../support/capture.ts';
import { LOAD_SQL, LOAD_TABLES_YAML, startLoad } from '../support/load.ts';
import { judge, ORACLE_SQL, oracleOn } from '../support/oracle.ts';
import { ownServer } from '../support/server.ts';
import { until } from '../support/until.ts';

test('source and trail that are shut down immediately under load lose, double and reorder nothing', async () => {
  await using sourceServer = await ownServer('source');
  await using trailServer = await ownServer('trail');
  const source = sourceServer.database;
  const trail = trailServer.database;
  await migrateTrail({ url: trail.url, log: silentLog });
  await source.query(`${LOAD_SQL} ${ORACLE_SQL} ${oracleOn('accounts')} ${oracleOn('orders')}`);
  const config = testConfig({ source, trail, yaml: `tables: ${LOAD_TABLES_YAML}` });
  await applyTracking(config);
  const capture = startCapture({ config, log: silentLog });
  try {
    await streaming(capture);
    for (let round = 0; round < 4; round++) {
      const crashing = round % 2 === 0 ? sourceServer : trailServer;
      const load = startLoad({ url: source.url, writers: 2, seed: 100 + round });
      // The load ends with the source; a writer that lost its server is no fault.
      const stopped = delay(500 + 100 * round).then(() => load.stop().catch(() => undefined));
      await delay(300 + 100 * round);
      await crashing.crash();
      await stopped;
    }
    await until('capture to stream again', () => capture.status().state === 'streaming', 30_000);
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
  } finally {
    await capture.stop();
  }
}, 120_000);
