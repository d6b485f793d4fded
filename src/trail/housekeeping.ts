import { setTimeout as delay } from 'node:timers/promises';
import type pg from 'pg';
import { codeOf, ERROR_CODES } from '../errors.js';
import { LastingProblem, type Log } from '../log.js';
import { connect } from '../pg/connect.js';
import { serverSays } from '../pg/server-message.js';
import { sqlStateOf } from '../pg/sql-state.js';
import { DAYS_AHEAD } from './migrate.js';
import { takeRole } from './roles.js';

export interface HousekeepingOptions {
  readonly url: string;
  readonly log: Log;
  /**
   * Number of whole days for which entries are kept after the day on which they were stored. It also applies
   * to the access record. Null: forever.
   */
  readonly retentionDays: () => number | null;
  /** Milliseconds between two rounds; 5 s by default. */
  readonly intervalMs?: number;
}

export interface Housekeeping {
  /** Resolves when the current round has ended and its connection is closed. */
  stop(): Promise<void>;
}

const INTERVAL_MS = 5_000;
const HOUR_MS = 3_600_000;
/**
 * Delay after a failed task. It is short enough to create tomorrow's partition in time, and long enough not
 * to fill the log.
 */
const RETRY_MS = 60_000;
/**
 * Number of blocks that one round summarizes. A block has 65,536 entries and takes about 130 ms, so a round
 * does not delay the other tasks.
 */
const BLOCKS_PER_ROUND = 10;

/**
 * Maintains a trail. Every round summarizes complete blocks. Every hour it creates the partitions of the next
 * days, and drops partitions and access records that are older than the retention. Several processes may run
 * it at the same time, because the functions in the database are safe to call concurrently. If a task fails,
 * the error is logged and the task is tried again; an error never ends the process.
 */
export function startHousekeeping(options: HousekeepingOptions): Housekeeping {
  const stopping = new AbortController();
  const finished = run(options, stopping.signal);
  return {
    stop: () => {
      stopping.abort();
      return finished;
    },
  };
}

async function run(options: HousekeepingOptions, stopping: AbortSignal): Promise<void> {
  const { log } = options;
  const tasks = [
    { name: 'partitions', everyMs: HOUR_MS, dueAt: 0, run: makePartitions },
    {
      name: 'retention',
      everyMs: HOUR_MS,
      dueAt: 0,
      run: (client: pg.Client) => applyRetention(client, { ...options, tooShort }),
    },
    { name: 'summaries', everyMs: 0, dueAt: 0, run: summarize },
  ];
  const tooShort = new LastingProblem({
    say: (fields) =>
      log.warn(
        { ...fields, remedy: ERROR_CODES.TRAIL_RETENTION_FLOOR.remedy },
        'trail.retention is shorter than the minimum retention of the trail. Waltrail keeps entries for the minimum.',
      ),
    sayOver: () => undefined,
  });
  const unreachable = new LastingProblem({
    say: (fields) => log.error(fields, 'housekeeping cannot reach the trail; it keeps trying'),
    sayOver: (fields) => log.info(fields, 'housekeeping reaches the trail again'),
  });
  let client: pg.Client | undefined;
  while (!stopping.aborted) {
    try {
      client ??= await open(options.url);
      unreachable.over();
    } catch (error) {
      unreachable.met(codeOf(error) ?? 'Error');
    }
    for (const task of client === undefined ? [] : tasks) {
      if (performance.now() < task.dueAt) continue;
      try {
        await task.run(client!, log);
        task.dueAt = performance.now() + task.everyMs;
      } catch (error) {
        task.dueAt = performance.now() + RETRY_MS;
        log.error(
          { task: task.name, code: codeOf(error), reason: reasonOf(error) },
          'housekeeping failed; it tries again in a minute',
        );
        // The state of this connection is unknown, so the next round opens a new one.
        await client!.end().catch(() => undefined);
        client = undefined;
        break;
      }
    }
    await delay(options.intervalMs ?? INTERVAL_MS, undefined, { signal: stopping }).catch(() => undefined);
  }
  await client?.end().catch(() => undefined);
}

/**
 * Returns an error's message. A server's message may contain stored values, so only its safe parts are used.
 */
const reasonOf = (error: unknown): string =>
  sqlStateOf(error) === undefined ? (error as Error).message : serverSays(error);

async function open(url: string): Promise<pg.Client> {
  const client = await connect({ url, side: 'trail', purpose: 'housekeeping' });
  await takeRole(client, 'waltrail_keeper');
  return client;
}

async function makePartitions(client: pg.Client, log: Log): Promise<void> {
  const { rows } = await client.query<{ made: number }>(
    /* sql */ `select trail.ensure_partitions($1) as made`,
    [DAYS_AHEAD],
  );
  if (rows[0]!.made > 0) log.info({ partitions: rows[0]!.made }, 'created partitions of the trail');
}

async function applyRetention(
  client: pg.Client,
  options: HousekeepingOptions & { readonly tooShort: LastingProblem },
): Promise<void> {
  const asked = options.retentionDays();
  if (asked === null) return;
  const { rows: floors } = await client.query<{ days: number }>(
    /* sql */ `select days from trail.retention_floor`,
  );
  const floor = floors[0]?.days ?? 1;
  if (asked < floor) options.tooShort.met('TRAIL_RETENTION_FLOOR');
  else options.tooShort.over();
  const days = Math.max(asked, floor);
  const { rows } = await client.query<{ dropped: number }>(
    /* sql */ `select trail.retain_days($1) as dropped`,
    [days],
  );
  await client.query(/* sql */ `select trail.retain_access($1)`, [days]);
  const dropped = rows[0]?.dropped ?? 0;
  for (let left = true; left;) {
    const { rows: forgotten } = await client.query<{ left: boolean }>(
      /* sql */ `select trail.forget_dropped() as left`,
    );
    left = forgotten[0]!.left;
  }
  if (dropped > 0) options.log.info({ days: dropped }, 'dropped days that are older than the retention');
}

async function summarize(client: pg.Client): Promise<void> {
  await client.query(/* sql */ `select trail.roll_up($1)`, [BLOCKS_PER_ROUND]);
}
