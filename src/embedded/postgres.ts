import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { chown, mkdir, mkdtemp, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { isWaltrailError, WaltrailError } from '../errors.js';
import { close, connect, withClient } from '../pg/connect.js';
import { quoteIdentifier } from '../pg/quote.js';
import { postgresAccount, spawnIds, temporaryFolder, type Account } from './account.js';
import { findBinaries, installedBinaries, type Binaries } from './binaries.js';
import { endLeftover, openCluster, saveRecord, SUPERUSER, type ClusterRecord } from './cluster.js';
import type { GuardOrder } from './guard.js';
import { lockFolder, type Unlock } from './lock.js';

export interface PostgresOptions {
  /**
   * Folder that keeps the cluster between runs, created on first use. Null: an ephemeral cluster in the
   * temporary folder, without fsync. It is removed when it stops or when this process ends.
   */
  readonly home: string | null;
  /**
   * Added to the defaults below, which they override. https://www.postgresql.org/docs/18/runtime-config.html
   */
  readonly settings?: Readonly<Record<string, string>>;
  /**
   * Folder with the programs of an installed PostgreSQL, for tests on other versions. By default, the
   * programs of the npm package are used.
   */
  readonly bin?: string;
  /** Called with a short phrase for each step that takes a while. */
  readonly onProgress?: (phrase: string) => void;
}

/** A running PostgreSQL on the loopback interface. */
export interface EmbeddedPostgres {
  readonly port: number;
  /** Process id of the postmaster. */
  readonly pid: number;
  /** The data directory. It is not below `home` if PostgreSQL's account cannot reach `home`. */
  readonly cluster: string;
  /** Returns the URL of a database for the superuser, with its password. */
  url(database: string): string;
  /** Creates a database unless it exists. Returns whether it was created. */
  createDatabase(name: string): Promise<boolean>;
  /** Resolves when the server has ended for whatever reason. */
  readonly ended: Promise<void>;
  /** Stops the server and its guard, and removes the files of an ephemeral cluster. May be called again. */
  stop(): Promise<void>;
}

const READY_TIMEOUT_MS = 60_000;
const MAX_LOG_BYTES = 10 * 1024 * 1024;

const DEFAULTS = {
  listen_addresses: '127.0.0.1',
  // A deep folder would exceed the length limit of socket paths. TCP on the loopback interface works
  // everywhere.
  unix_socket_directories: '',
  wal_level: 'logical',
  max_replication_slots: '10',
  max_wal_senders: '10',
  shared_buffers: '64MB',
  timezone: 'UTC',
  log_timezone: 'UTC',
  lc_messages: 'C',
  // The log must not contain row values, so it has neither the statement nor the DETAIL of an error.
  log_min_error_statement: 'panic',
  log_error_verbosity: 'terse',
  log_checkpoints: 'off',
} as const;

const EPHEMERAL = { fsync: 'off', synchronous_commit: 'off', full_page_writes: 'off' } as const;

/**
 * Starts PostgreSQL, by default from the npm package. Works as root too, and after a crash. A guard process
 * stops PostgreSQL when this process ends. Throws EMBEDDED_PLATFORM, EMBEDDED_NO_ACCOUNT, EMBEDDED_STAGING,
 * EMBEDDED_IN_USE, EMBEDDED_FOLDER, EMBEDDED_FAILED.
 */
export async function startPostgres(options: PostgresOptions): Promise<EmbeddedPostgres> {
  const account = await postgresAccount();
  const home = await makeHome(options.home, account);
  const unlock = await lockFolder({ file: path.join(home, 'lock'), folder: home });
  try {
    const binaries = options.bin === undefined ? await findBinaries(account) : installedBinaries(options.bin);
    const record = await openCluster({
      home,
      account,
      binaries,
      ephemeral: options.home === null,
      onProgress: options.onProgress,
    });
    await endLeftover({ binaries, account, cluster: record.cluster, onProgress: options.onProgress });
    return await launch({ options, home, account, binaries, record, unlock });
  } catch (error) {
    await unlock();
    if (options.home === null) await rm(home, { recursive: true, force: true });
    throw isWaltrailError(error)
      ? error
      : new WaltrailError(
          'EMBEDDED_FAILED',
          `The embedded PostgreSQL in ${home} cannot be started: ${(error as Error).message}`,
          { cause: error },
        );
  }
}

/**
 * Creates the folder of one cluster. An ephemeral one belongs to PostgreSQL's account, which must be able to
 * enter it.
 */
async function makeHome(home: string | null, account: Account): Promise<string> {
  if (home === null) {
    const made = await mkdtemp(path.join(await temporaryFolder(account), 'waltrail-postgres-'));
    if (account !== undefined) await chown(made, account.uid, account.gid);
    return made;
  }
  const folder = path.resolve(home);
  try {
    await mkdir(folder, { recursive: true });
    const probe = path.join(folder, `.probe-${process.pid}`);
    await writeFile(probe, '');
    await rm(probe, { force: true });
  } catch (cause) {
    throw new WaltrailError(
      'EMBEDDED_FOLDER',
      `${folder} is not writable (${(cause as NodeJS.ErrnoException).code ?? 'unknown reason'}).`,
      { cause },
    );
  }
  return folder;
}

interface LaunchOptions {
  readonly options: PostgresOptions;
  readonly home: string;
  readonly account: Account;
  readonly binaries: Binaries;
  readonly record: ClusterRecord;
  readonly unlock: Unlock;
}

async function launch(launching: LaunchOptions): Promise<EmbeddedPostgres> {
  const { options, home, account, binaries, record } = launching;
  const { cluster, password } = record;
  const logFile = path.join(home, 'server.log');
  if (((await stat(logFile).catch(() => undefined))?.size ?? 0) > MAX_LOG_BYTES) await truncate(logFile);
  const port = await freePort(record.port);
  const settings = {
    ...DEFAULTS,
    ...(options.home === null ? EPHEMERAL : {}),
    ...options.settings,
    port: String(port),
  };
  options.onProgress?.('starting PostgreSQL');
  const guard = startGuard({
    postgres: binaries.postgres,
    pgCtl: binaries.pgCtl,
    cluster,
    arguments: [
      '-D',
      cluster,
      ...Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]),
    ],
    ids: spawnIds(account),
    logFile,
    remove: options.home === null ? home : null,
  });
  const url = (database: string): string =>
    `postgres://${SUPERUSER}:${encodeURIComponent(password)}@127.0.0.1:${port}/${encodeURIComponent(database)}`;

  const stop = async (): Promise<void> => {
    guard.process.ref();
    guard.process.stdin!.end();
    await guard.ended;
    // The guard may have been killed without the server.
    await endLeftover({ binaries, account, cluster, onProgress: undefined });
    await launching.unlock();
    if (options.home === null) await rm(home, { recursive: true, force: true });
  };
  let stopped: Promise<void> | undefined;
  const stopOnce = (): Promise<void> => (stopped ??= stop());

  try {
    const pid = await guard.started;
    await untilReady(url('postgres'), guard);
    // This child must not keep the daemon alive. The end of its stdin tells the guard that the daemon has
    // ended.
    for (const handle of [guard.process, guard.process.stdin, guard.process.stdout])
      (handle as { unref?(): void }).unref?.();
    if (options.home !== null && port !== record.port) await saveRecord(home, { ...record, port });
    return {
      port,
      pid,
      cluster,
      url,
      createDatabase: (name) => createDatabase(url('postgres'), name),
      ended: guard.ended,
      stop: stopOnce,
    };
  } catch (error) {
    const log = await readFile(logFile, 'utf8').catch(() => '');
    await stopOnce();
    throw startFailure(error, log, home);
  }
}

interface Guard {
  readonly process: ChildProcess;
  /** Process id of the postmaster. */
  readonly started: Promise<number>;
  readonly ended: Promise<void>;
  isEnded(): boolean;
}

function startGuard(order: GuardOrder): Guard {
  const child = spawn(
    process.execPath,
    [fileURLToPath(new URL('guard.js', import.meta.url)), JSON.stringify(order)],
    {
      detached: true,
      stdio: ['pipe', 'pipe', 'ignore'],
      // The guard gets nothing of this process's environment: PGDATA, PGOPTIONS or NODE_OPTIONS would change
      // what it runs.
      env: { LC_ALL: 'C' },
      windowsHide: true,
    },
  );
  let isEnded = false;
  const ended = once(child, 'exit').then(() => {
    isEnded = true;
  });
  const started = Promise.race([
    once(child.stdout, 'data').then(([chunk]) => {
      const [word, rest] = String(chunk).trim().split(/ (.*)/s);
      if (word !== 'started') throw new Error(rest);
      return Number(rest);
    }),
    ended.then(() => {
      throw new Error('its guard process ended at once');
    }),
  ]);
  child.stdin.on('error', () => undefined);
  return { process: child, started, ended, isEnded: () => isEnded };
}

async function untilReady(url: string, guard: Guard): Promise<void> {
  const deadline = Date.now() + READY_TIMEOUT_MS;
  for (;;) {
    try {
      await close(await connect({ url, purpose: 'embedded' }));
      return;
    } catch (error) {
      if (guard.isEnded() || Date.now() > deadline) throw error;
    }
    await delay(30);
  }
}

/**
 * Returns the error of a failed start. PostgreSQL's last FATAL line says more than a refused connection. A
 * cluster in use has its own code.
 */
function startFailure(error: unknown, log: string, home: string): Error {
  const fatal = log
    .split('\n')
    .findLast((line) => line.includes('FATAL:'))
    ?.replace(/^.*FATAL:\s*/, '');
  if (fatal?.includes('postmaster.pid')) {
    return new WaltrailError(
      'EMBEDDED_IN_USE',
      `Another PostgreSQL already runs on the cluster of ${home}.`,
      { cause: error },
    );
  }
  return new WaltrailError(
    'EMBEDDED_FAILED',
    `PostgreSQL did not start: ${fatal ?? (error as Error).message} (${path.join(home, 'server.log')}).`,
    { cause: error },
  );
}

const createDatabase = (url: string, name: string): Promise<boolean> =>
  withClient({ url, purpose: 'embedded' }, async (client) => {
    const { rowCount } = await client.query(
      /* sql */ `select from pg_catalog.pg_database where datname = $1`,
      [name],
    );
    if (rowCount === 1) return false;
    await client.query(`create database ${quoteIdentifier(name)}`);
    return true;
  });

/** Returns `wanted` if no process listens on it, otherwise any free port of the loopback interface. */
async function freePort(wanted: number): Promise<number> {
  const server = createServer();
  server.listen(wanted, '127.0.0.1');
  try {
    await once(server, 'listening');
  } catch (error) {
    if (wanted === 0) throw error;
    return await freePort(0);
  }
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, 'close');
  return port;
}
