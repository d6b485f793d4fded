import { setTimeout as delay } from 'node:timers/promises';
import { expect, test } from '@jest/globals';
import { untilCaughtUp } from '../support/capture.ts';
import { startLoad } from '../support/load.ts';
import { generator } from '../support/random.ts';
import { judgeMigrated, MIGRATOR_SQL, MIGRATOR_YAML, startMigrator } from '../support/migrator.ts';
import { expectExact } from '../support/oracle.ts';
import { until } from '../support/until.ts';
import { faultGround, ownSource, ownTrail, type FaultGround } from './ground.ts';

/** Set by `npm run test:faults`. Without it, as in `npm test`, a small part runs. */
const FULL = process.env['WALTRAIL_TEST_FAULTS'] === 'full';
const size = (name: string, full: number, small: number): number =>
  Number(process.env[`WALTRAIL_TEST_${name}`] ?? (FULL ? full : small));

const SIZES = {
  kill: size('KILLS', 200, 8),
  sourceStop: size('SOURCE_STOPS', 10, 1),
  trailStop: size('TRAIL_STOPS', 10, 1),
  suspend: size('SUSPENSIONS', 20, 2),
  network: size('NETWORK_FAULTS', 30, 4),
} as const;
const SEED = size('SEED', Date.now() % 1_000_000, Date.now() % 1_000_000);
const FAULTS = Object.entries(SIZES).flatMap(([fault, count]) =>
  Array.from({ length: count }, () => fault as keyof typeof SIZES),
);
const NOTICED_MS = 5_000;
const LIMIT_MS = 120_000 + FAULTS.length * 20_000;

const say = (line: string): void => void process.stderr.write(`campaign: ${line}\n`);

test(
  `a campaign of ${FAULTS.length} faults under load leaves the trail exact (seed ${SEED})`,
  async () => {
    const began = performance.now();
    const seconds = (): string => ((performance.now() - began) / 1000).toFixed(0);
    const random = generator(SEED);
    say(`seed ${SEED}: ${FAULTS.length} faults`);
    // Frequent checkpoints, so that a source that was shut down has little WAL to replay.
    await using source = await ownSource({ checkpoint_timeout: '30s' });
    await using trail = await ownTrail();
    await using g = await faultGround({
      servers: { source, trail },
      senderTimeout: '1s',
      sql: MIGRATOR_SQL,
      sourceYaml: ', event_trigger: true',
      tablesYaml: MIGRATOR_YAML,
    });
    let daemon = await g.startDaemon();
    await using load = startLoad({
      url: g.source.url,
      writers: 3,
      seed: SEED,
      pauseMs: FULL ? 10 : 25,
      // Each large transaction has thousands of rows: enough of them to meet faults, but not most of the
      // load.
      bulk: FULL ? 1_000 : 200,
      reconnect: true,
    });
    const migrator = startMigrator({
      url: g.source.url,
      trail: g.trail,
      config: g.direct,
      seed: SEED,
      pauseMs: 20,
    });
    const act: Record<keyof typeof SIZES, () => Promise<unknown>> = {
      kill: async () => {
        await daemon.kill('SIGKILL');
        daemon = g.daemons.start();
      },
      sourceStop: () => source.crash(),
      trailStop: () => trail.crash(),
      suspend: () => suspend(g, daemon.pid, random),
      network: () => networkFault(g, random),
    };
    try {
      for (const [index, fault] of shuffled(FAULTS, random).entries()) {
        await g.storesMore().catch((error: unknown) => {
          throw new Error(`seed ${SEED}, before fault ${index} (${fault}): ${daemon.log()}`, {
            cause: error,
          });
        });
        await delay(random(150));
        await act[fault]();
        if ((index + 1) % Math.ceil(FAULTS.length / 10) === 0)
          say(
            `${index + 1} faults, ${load.transactions()} transactions, ${await g.stored()} entries after ${seconds()} s`,
          );
      }
      await g.storesMore();
      await load.stop(FAULTS.length * 20);
    } finally {
      await migrator.stop();
    }
    // The last tables that were created, detached or renamed are noticed within the same time.
    await delay(NOTICED_MS);
    await untilCaughtUp(g.source, g.trail, 120_000);
    expect(daemon.exited).toBe(false);
    await daemon.kill('SIGTERM');
    const { transactions, changes, lost, doubled, outOfOrder, wrong } = await expectExact({
      source: g.source,
      trail: g.trail,
      atLeast: FAULTS.length * 20,
    });
    // Whatever happened to tables, the stream as a whole has no gap, and no write of the application was
    // refused.
    expect(await g.trail.query('select code, from_lsn::text from trail.gap where tables is null')).toEqual(
      [],
    );
    expect(migrator.refused).toEqual([]);
    const migrated = await judgeMigrated({ source: g.source, trail: g.trail });
    say(
      `migrated tables: ${JSON.stringify({ ...Object.fromEntries(migrator.counts), ...migrated }, null, 1)}`,
    );
    expect(migrated).toMatchObject({ lost: 0, doubled: 0, wrong: 0 });
    expect(migrated.stored).toBeGreaterThan(FAULTS.length);
    say(
      `seed ${SEED}, ${SIZES.kill} kills, ${SIZES.sourceStop} immediate stops of the source, ${SIZES.trailStop} of the trail, ` +
        `${SIZES.suspend} suspensions, ${SIZES.network} network faults, ${transactions} transactions, ${changes} changes, ` +
        `${lost} lost, ${doubled} doubled, ${outOfOrder} out of order, ${wrong} wrong in ${seconds()} s`,
    );
  },
  LIMIT_MS,
);

/** Sends SIGSTOP for a moment, or until the source has given the daemon up (wal_sender_timeout). */
async function suspend(g: FaultGround, pid: number, random: (below: number) => number): Promise<void> {
  process.kill(pid, 'SIGSTOP');
  try {
    if (random(2) === 0) await delay(random(500));
    else
      await until('the source to give the daemon up', async () => {
        const free = await g.source.query(
          `select from pg_replication_slots where slot_name = $1 and active_pid is null`,
          [g.slot],
        );
        return free.length === 1;
      });
  } finally {
    process.kill(pid, 'SIGCONT');
  }
}

async function networkFault(g: FaultGround, random: (below: number) => number): Promise<void> {
  const proxy = random(2) === 0 ? g.toSource : g.toTrail;
  switch (random(4)) {
    case 0:
      return proxy.reset();
    case 1:
      return proxy.halfClose();
    case 2:
      proxy.blackhole();
      break;
    default:
      proxy.throttle(100_000);
  }
  await delay(300 + random(1_500));
  proxy.pass();
}

/** Shuffles by the method of Fisher and Yates. */
function shuffled<T>(items: readonly T[], random: (below: number) => number): T[] {
  const result = [...items];
  for (let last = result.length - 1; last > 0; last--) {
    const other = random(last + 1);
    [result[last], result[other]] = [result[other]!, result[last]!];
  }
  return result;
}
