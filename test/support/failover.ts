import { execFile } from 'node:child_process';
import { appendFile, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import pg from 'pg';
import { startPostgres, type EmbeddedPostgres } from '../../src/embedded/postgres.js';
import type { TestDatabase } from './database.ts';
import { until } from './until.ts';

const DATABASE = 'source';

/** A primary and a hot standby that streams from it. The pair's URL always leads to the primary. */
export interface FailoverPair extends AsyncDisposable {
  /** The primary's database; after `failOver` that of the promoted standby, on the same port. */
  readonly database: TestDatabase;
  /** Stops sending to the standby what the primary writes, as with a slow network. */
  detachStandby(): Promise<void>;
  /** Waits until the standby has everything, including synchronised slots. */
  standbyHasAll(options: { readonly slot: string | null }): Promise<void>;
  /** Kills the primary at once and promotes the standby, which takes over the primary's address. */
  failOver(options?: { readonly withoutSlot?: string }): Promise<void>;
}

/**
 * Starts two clusters on the loopback interface, always of the embedded PostgreSQL: slots on standbys need
 * version 17. The second is a copy of the first, made before the first had any table.
 */
export async function failoverPair(): Promise<FailoverPair> {
  const homes = await mkdtemp(path.join(os.tmpdir(), 'waltrail-failover-'));
  const home = path.join(homes, 'a');
  const standbyHome = path.join(homes, 'b');
  // Started, stopped and copied: the simplest base backup.
  const first = await startPostgres({ home });
  await first.createDatabase(DATABASE);
  const { cluster } = first;
  await first.stop();
  const standbyCluster = `${cluster}-standby`;
  // Keeps the owner: as root, PostgreSQL runs as another account.
  await promisify(execFile)('cp', ['-a', cluster, standbyCluster]);
  await writeFile(path.join(standbyCluster, 'standby.signal'), '');

  const primary = await startPostgres({ home });
  const primaryUrl = primary.url(DATABASE);
  await run(primaryUrl, `select pg_create_physical_replication_slot('standby')`);
  const record = JSON.parse(await readFile(path.join(home, 'cluster.json'), 'utf8')) as { password: string };
  const saveStandby = (port: number): Promise<void> =>
    writeFile(
      path.join(standbyHome, 'cluster.json'),
      JSON.stringify({ ...record, cluster: standbyCluster, port }),
    );
  await mkdir(standbyHome);
  await saveStandby(0);
  const user = new URL(primaryUrl).username;
  const standbySettings = {
    primary_slot_name: 'standby',
    hot_standby_feedback: 'on',
    sync_replication_slots: 'on',
    wal_receiver_status_interval: '1s',
  };
  // Set in the file, where alter system can override it. A setting of the command line could not be changed.
  await appendFile(
    path.join(standbyCluster, 'postgresql.auto.conf'),
    `primary_conninfo = 'host=127.0.0.1 port=${primary.port} user=${user} password=${record.password} dbname=${DATABASE}'\n`,
  );
  let standby: EmbeddedPostgres = await startPostgres({ home: standbyHome, settings: standbySettings });
  const standbyQuery = <T>(sql: string): Promise<T[]> => run<T>(standby.url(DATABASE), sql);

  return {
    database: {
      url: primaryUrl,
      name: DATABASE,
      query: (sql, parameters) => run(primaryUrl, sql, parameters),
      [Symbol.asyncDispose]: () => Promise.resolve(),
    },
    detachStandby: async () => {
      await standbyQuery(`alter system set primary_conninfo = ''`);
      await standbyQuery('select pg_reload_conf()');
      await until(
        'the standby to be detached',
        async () => (await standbyQuery('select from pg_stat_wal_receiver')).length === 0,
      );
    },
    standbyHasAll: async ({ slot }) => {
      const [at] = await run<{ lsn: string }>(primaryUrl, 'select pg_current_wal_lsn()::text as lsn');
      await until(`the standby to replay ${at!.lsn}`, async () => {
        const [row] = await standbyQuery<{ has: boolean }>(
          `select pg_last_wal_replay_lsn() >= '${at!.lsn}' as has`,
        );
        return row!.has;
      });
      if (slot === null) return;
      await until(`slot ${slot} to be on the standby`, async () => {
        // What the source logs of running transactions lets a new slot become persistent on the standby.
        await run(primaryUrl, 'select pg_log_standby_snapshot()');
        const rows = await standbyQuery(
          `select from pg_replication_slots where slot_name = '${slot}' and synced and not temporary and invalidation_reason is null`,
        );
        return rows.length > 0;
      });
    },
    failOver: async (options = {}) => {
      process.kill(primary.pid, 'SIGQUIT');
      await primary.ended;
      await primary.stop();
      await standbyQuery('select pg_promote()');
      if (options.withoutSlot !== undefined)
        await standbyQuery(
          `select pg_drop_replication_slot(slot_name) from pg_replication_slots where slot_name = '${options.withoutSlot}'`,
        );
      // The new primary gets the old address. That is what clients see of a failover.
      await standby.stop();
      await saveStandby(primary.port);
      standby = await startPostgres({ home: standbyHome });
      if (standby.port !== primary.port) throw new Error('the standby came up on another port');
    },
    [Symbol.asyncDispose]: async () => {
      await standby.stop();
      await primary.stop();
      await rm(standbyCluster, { recursive: true, force: true });
      await rm(cluster, { recursive: true, force: true });
      await rm(homes, { recursive: true, force: true });
    },
  };
}

async function run<T>(url: string, sql: string, parameters: readonly unknown[] = []): Promise<T[]> {
  const client = new pg.Client(url);
  client.on('error', () => undefined);
  await client.connect();
  try {
    return (await client.query(sql, [...parameters])).rows as T[];
  } finally {
    await client.end();
  }
}
