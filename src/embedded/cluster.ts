import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import {
  chmod,
  chown,
  mkdir,
  mkdtemp,
  readFile,
  readlink,
  realpath,
  rename,
  rm,
  stat,
  writeFile,
} from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { WaltrailError } from '../errors.js';
import { canReach, spawnIds, type Account } from './account.js';
import type { Binaries } from './binaries.js';
import { processExists } from './lock.js';

export const SUPERUSER = 'waltrail';
/**
 * The folder where root keeps clusters that cannot be in `home`. Only root can write /var/lib, so no other
 * account can create it first.
 */
const SYSTEM_STATE = '/var/lib/waltrail';
/**
 * A guard that outlives its daemon needs up to 20 s for its two ways to stop the server. If it takes longer,
 * the guard was killed too.
 */
const LEFTOVER_TIMEOUT_MS = 25_000;

/** The data that is kept between runs, in `home`/cluster.json (mode 0600). */
export interface ClusterRecord {
  readonly cluster: string;
  readonly password: string;
  /** The port of the last run. It is used again if it is free, so that a saved psql command keeps working. */
  readonly port: number;
}

/** Called with a short phrase for each step that takes a while. */
export type Progress = ((phrase: string) => void) | undefined;

interface OpenOptions {
  readonly home: string;
  readonly account: Account;
  readonly binaries: Binaries;
  readonly ephemeral: boolean;
  readonly onProgress: Progress;
}

/** Returns the record of the cluster in `home`. Creates the cluster on first use. */
export async function openCluster(options: OpenOptions): Promise<ClusterRecord> {
  const file = recordFile(options.home);
  const text = await readFile(file, 'utf8').catch(() => undefined);
  if (text !== undefined) {
    const record = JSON.parse(text) as ClusterRecord;
    if (existsSync(path.join(record.cluster, 'PG_VERSION'))) {
      await refuseForeign(record.cluster, options);
      return record;
    }
    throw new WaltrailError(
      'EMBEDDED_FAILED',
      `The cluster ${record.cluster} that ${file} names does not exist.`,
      {
        remedy: `Restore ${record.cluster}, or remove ${options.home} to start with an empty trail.`,
      },
    );
  }
  options.onProgress?.('creating the database cluster');
  const record = {
    cluster: await placeCluster(options),
    password: randomBytes(18).toString('base64url'),
    port: 0,
  };
  // A run that ended before the record was written may have left a cluster with an unknown password.
  await rm(record.cluster, { recursive: true, force: true });
  await initialise({ ...options, record });
  await saveRecord(options.home, record);
  return record;
}

/**
 * Refuses a cluster of another account. PostgreSQL opens only what its own account created, and root and
 * other users start it with different accounts.
 */
async function refuseForeign(cluster: string, { home, account }: OpenOptions): Promise<void> {
  const { uid } = await stat(cluster);
  if (process.getuid === undefined || uid === (account?.uid ?? process.getuid())) return;
  throw new WaltrailError(
    'EMBEDDED_FOLDER',
    `The database cluster in ${home} belongs to another account (uid ${uid}).`,
    {
      remedy: 'Start Waltrail with the account that created it, or name another folder in WALTRAIL_DATA_DIR.',
    },
  );
}

const recordFile = (home: string): string => path.join(home, 'cluster.json');

/** Replaces the record in one step. */
export async function saveRecord(home: string, record: ClusterRecord): Promise<void> {
  const draft = `${recordFile(home)}.${process.pid}`;
  await writeFile(draft, `${JSON.stringify(record)}\n`, { mode: 0o600 });
  await rename(draft, recordFile(home));
}

async function placeCluster(options: OpenOptions): Promise<string> {
  const cluster = path.join(options.home, 'cluster');
  if (await canReach(options.home, options.account)) return cluster;
  await mkdir(SYSTEM_STATE, { recursive: true });
  await chmod(SYSTEM_STATE, 0o755);
  const parent = await mkdtemp(path.join(SYSTEM_STATE, 'postgres-'));
  await chown(parent, options.account!.uid, options.account!.gid);
  options.onProgress?.(
    `keeping the data in ${parent}, because account ${options.account!.name} cannot reach ${options.home}`,
  );
  return path.join(parent, 'cluster');
}

/**
 * Runs initdb in a neighbouring folder and renames it when it is complete. A crash leaves no incomplete
 * cluster under the real name.
 */
async function initialise(options: OpenOptions & { readonly record: ClusterRecord }): Promise<void> {
  const { cluster, password } = options.record;
  const draft = `${cluster}.new`;
  await rm(draft, { recursive: true, force: true });
  await mkdir(draft, { mode: 0o700 });
  const passwordFile = `${cluster}.password`;
  await rm(passwordFile, { force: true });
  try {
    await writeFile(passwordFile, `${password}\n`, { mode: 0o600, flag: 'wx' });
    if (options.account !== undefined) {
      for (const target of [draft, passwordFile])
        await chown(target, options.account.uid, options.account.gid);
    }
    await run(
      options.binaries.initdb,
      [
        ...['-D', draft, '-U', SUPERUSER, `--auth=${authentication(options)}`, `--pwfile=${passwordFile}`],
        ...['--encoding=UTF8', ...options.binaries.localeOptions],
        ...(options.ephemeral ? ['--no-instructions', '--no-sync'] : ['--no-instructions']),
      ],
      options.account,
    );
    await rename(draft, cluster);
  } finally {
    await rm(passwordFile, { force: true });
    await rm(draft, { recursive: true, force: true });
  }
}

/**
 * Returns the authentication method. The tests connect to ephemeral clusters tens of thousands of times, and
 * SCRAM takes more than a third of the time of a connection (measured: 6.8 ms of CPU time, instead of 4.3 ms
 * with md5). The password is random and is deleted together with the cluster.
 */
const authentication = ({ ephemeral }: OpenOptions): string => (ephemeral ? 'md5' : 'scram-sha-256');

/**
 * Waits until the server of a killed run has ended. If its guard was killed too, stops the server. Removes a
 * stale lock file.
 */
export async function endLeftover(options: {
  binaries: Binaries;
  account: Account;
  cluster: string;
  onProgress: Progress;
}): Promise<void> {
  if ((await findPostmaster(options.cluster)) === undefined) return;
  options.onProgress?.('waiting for the PostgreSQL of an interrupted run to stop');
  const deadline = Date.now() + LEFTOVER_TIMEOUT_MS;
  let asked = false;
  while ((await findPostmaster(options.cluster)) !== undefined) {
    if (Date.now() > deadline)
      throw new Error(`another PostgreSQL runs on ${options.cluster} and does not stop`);
    if (!asked && Date.now() > deadline - LEFTOVER_TIMEOUT_MS + 2000) {
      asked = true;
      await run(
        options.binaries.pgCtl,
        ['stop', '-D', options.cluster, '-m', 'fast', '-t', '10', '-s'],
        options.account,
      ).catch(() => undefined);
    }
    await delay(50);
  }
}

/**
 * Returns the process id of the postmaster that runs on a cluster. Removes a postmaster.pid whose process has
 * ended. It also removes one whose process is another program, if /proc shows that: a container reuses
 * process ids soon, and PostgreSQL would take any living process of its account for a server.
 */
async function findPostmaster(cluster: string): Promise<number | undefined> {
  const file = path.join(cluster, 'postmaster.pid');
  const pid = Number.parseInt(await readFile(file, 'utf8').catch(() => ''), 10);
  if (!(pid > 0)) return undefined;
  if (processExists(pid)) {
    // The working directory of a postmaster is its cluster.
    const folder = await readlink(`/proc/${pid}/cwd`).catch(() => cluster);
    if (folder === (await realpath(cluster)) || folder === cluster) return pid;
  }
  await rm(file, { force: true });
  return undefined;
}

/** Runs a program until it exits. If it fails, throws an error with its last line of output. */
async function run(program: string, programArguments: readonly string[], account: Account): Promise<void> {
  const child = spawn(program, programArguments, {
    ...spawnIds(account),
    // A folder that PostgreSQL's account may enter.
    cwd: '/',
    env: { LC_ALL: 'C' },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (chunk: Buffer) => (output += chunk.toString()));
  let code: unknown;
  try {
    [code] = (await once(child, 'close')) as [number | null];
  } catch (cause) {
    // The file exists but the system cannot run it: the package was built for another C library or processor.
    throw new WaltrailError(
      'EMBEDDED_PLATFORM',
      `The embedded PostgreSQL does not run on this system (${path.basename(program)}: ${(cause as NodeJS.ErrnoException).code ?? 'unknown reason'}).`,
      { cause },
    );
  }
  if (code !== 0)
    throw new Error(
      `${path.basename(program)} failed (${String(code)}): ${output.trim().split('\n').at(-1) ?? ''}`,
    );
}
