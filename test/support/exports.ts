import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Redis } from 'ioredis';
import pg from 'pg';
import type { ExportView, Requester } from '../../src/exports/export.js';
import type { Exports } from '../../src/exports/exports.js';
import { openExports, type OpenExports } from '../../src/exports/open.js';
import type { ExportWorker } from '../../src/exports/worker.js';
import { silentLog } from '../../src/log.js';
import { freshDatabase, type TestDatabase } from './database.ts';
import { startRedis } from './redis.ts';
import { seedTrail } from './trail-data.ts';
import { until } from './until.ts';

export const ADMIN: Requester = {
  tokenId: '00000000-0000-4000-8000-000000000001',
  name: 'Ada Admin',
  role: 'admin',
  tenant: null,
};

const DAY_MS = 86_400_000;
/** Beginning of the range of a seeded trail, as in the body of a request. */
export const SEEDED_FROM = new Date('2026-10-23T12:00:00Z');
export const SEEDED_TO = new Date('2026-10-26T12:00:00Z');
export const ALL = { from: '2026-10-23T00:00:00Z', to: '2026-10-27T00:00:00Z' };

export interface ExportGround extends AsyncDisposable {
  readonly db: TestDatabase;
  readonly exports: Exports;
  readonly directory: string;
  startWorker(options?: { exportDir?: string }): Promise<ExportWorker>;
  /** A worker process, whose parent may kill it. */
  spawnWorker(): Promise<ChildProcess>;
  /** Waits for the last state; four minutes by default. */
  finished(id: string, limitMs?: number): Promise<ExportView>;
  /** Bytes of a ready export. */
  download(id: string): Promise<Buffer>;
  files(): Promise<string[]>;
  /** Removes every job from the queue, as a Redis without persistence does when it restarts. */
  forgetQueue(): Promise<void>;
  /** Makes readers of entries wait until `release`, so that a run can be stopped at its present place. */
  holdEntries(): Promise<{ release(): Promise<void> }>;
}

/**
 * Creates a seeded trail, exports and, if requested, workers on the named backend. Disposing ends all of
 * them.
 */
export async function exportGround(options: {
  readonly backend: 'postgres' | 'redis';
  readonly entries: number;
}): Promise<ExportGround> {
  const db = await freshDatabase('trail');
  if (options.entries > 0) {
    await seedTrail({ url: db.url, entries: options.entries, from: SEEDED_FROM, to: SEEDED_TO });
  }
  const redis = options.backend === 'redis' ? await startRedis() : undefined;
  const directory = await mkdtemp(path.join(tmpdir(), 'waltrail-exports-'));
  const settings = { redisUrl: redis?.url, exportDir: directory };
  const config = { source: { name: 'crm' }, trail: { url: db.url } };
  const reports = { maxRangeMs: 7 * DAY_MS, maxRangeDays: 7, timezone: 'UTC' };
  const opened: OpenExports[] = [];
  const open = (exportDir: string): OpenExports => {
    const one = openExports({ settings: { ...settings, exportDir }, config, log: silentLog });
    opened.push(one);
    return one;
  };
  const ofGround = open(directory);
  const workers: ExportWorker[] = [];
  const processes: ChildProcess[] = [];
  const exports = ofGround.forApi(() => reports);
  return {
    db,
    exports,
    directory,
    async startWorker({ exportDir = directory } = {}) {
      const worker = (exportDir === directory ? ofGround : open(exportDir)).startWorker();
      workers.push(worker);
      await worker.ready;
      return worker;
    },
    async spawnWorker() {
      const script = path.join(import.meta.dirname, 'export-worker.mjs');
      const child = spawn(process.execPath, [script, JSON.stringify({ settings, config })], {
        stdio: ['pipe', 'pipe', 'ignore'],
      });
      processes.push(child);
      await once(child.stdout, 'data');
      return child;
    },
    async finished(id, limitMs = 240_000) {
      let last: ExportView | undefined;
      for await (const view of exports.watch(id, ADMIN, { signal: AbortSignal.timeout(limitMs) }))
        last = view;
      return last!;
    },
    async download(id) {
      const file = await exports.file(id, ADMIN);
      const bytes = Buffer.concat((await file.read().toArray()) as Buffer[]);
      if (bytes.length !== file.bytes) throw new Error('the stream is not as long as it says');
      return bytes;
    },
    files: () => readdir(directory),
    async forgetQueue() {
      if (redis === undefined) {
        await db.query('truncate bullmq.job cascade');
        return;
      }
      const client = new Redis(redis.url);
      await client.flushall();
      client.disconnect();
    },
    async holdEntries() {
      const client = new pg.Client({ connectionString: db.url });
      await client.connect();
      await client.query('begin');
      await client.query('lock table trail.entry in access exclusive mode');
      return { release: () => client.end() };
    },
    async [Symbol.asyncDispose]() {
      for (const child of processes) await kill(child);
      await Promise.all(workers.map((worker) => worker.stop()));
      await Promise.all(opened.map((one) => one.close()));
      await redis?.[Symbol.asyncDispose]();
      await db[Symbol.asyncDispose]();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

export async function kill(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, 'exit');
  child.kill('SIGKILL');
  await exited;
}

export async function untilState(
  ground: ExportGround,
  id: string,
  state: ExportView['state'],
): Promise<void> {
  await until(`the export to be ${state}`, async () => (await ground.exports.get(id, ADMIN)).state === state);
}

/** Returns the ids of the entries of an ndjson file, in its order. */
export const idsOf = (file: Buffer): string[] =>
  file
    .toString()
    .split('\n')
    .slice(0, -1)
    .map((line) => (JSON.parse(line) as { id: string }).id);
