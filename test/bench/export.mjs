/**
 * One export of a large trail, made by the worker of this process while its main thread answers pages all the time.
 *
 *   npm run build:daemon && node test/bench/export.mjs [--entries 300000] [--format xlsx] [--url postgres://…]
 *
 * Prints wall time and rate, peak RSS of the process (main thread and export thread), CPU seconds, and how long a page took
 * before and during the export. The trail is seeded in an ephemeral PostgreSQL; with --url in an empty trail that is migrated.
 */
import { transformFileSync } from '@swc/core';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism, cpus, tmpdir } from 'node:os';
import path from 'node:path';
import { performance } from 'node:perf_hooks';
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { startPostgres } from '../../dist/embedded/postgres.js';
import { openExports } from '../../dist/exports/open.js';
import { startExportWorker } from '../../dist/exports/worker.js';
import { silentLog } from '../../dist/log.js';
import { createPool } from '../../dist/pg/connect.js';
import { migrateTrail } from '../../dist/trail/migrate.js';
import { TrailReader } from '../../dist/trail/read.js';

const { values } = parseArgs({
  options: {
    entries: { type: 'string', default: '300000' },
    format: { type: 'string', default: 'xlsx' },
    url: { type: 'string' },
  },
});
const DAY_MS = 86_400_000;
const PAGE_PAUSE_MS = 20;
const BASELINE_PAGES = 200;
const REQUESTER = {
  tokenId: '00000000-0000-4000-8000-000000000001',
  name: 'bench',
  role: 'admin',
  tenant: null,
};

const server = values.url === undefined ? await startPostgres({ home: null, settings: {} }) : undefined;
const url = values.url ?? server.url('postgres');
const exportDir = mkdtempSync(path.join(tmpdir(), 'waltrail-bench-'));
const pool = createPool({ url, purpose: 'bench', max: 4 });
const reader = new TrailReader({ pool });
const to = new Date();
const range = { from: new Date(to.getTime() - 7 * DAY_MS).toISOString(), to: to.toISOString() };

try {
  await migrateTrail({ url, log: silentLog });
  const { seedTrail } = await testSupport('trail-data');
  await seedTrail({ url, entries: Number(values.entries), to });
  const settings = { redisUrl: undefined, exportDir, logLevel: 'silent' };
  const config = { source: { name: 'bench' }, trail: { url } };
  const reports = () => ({ maxRangeMs: 7 * DAY_MS, timezone: 'Europe/Berlin' });
  const opened = await openExports({ settings, config, reports, log: silentLog });
  const worker = await startExportWorker({ settings, config, log: silentLog });

  const before = await pages((count) => count >= BASELINE_PAGES);
  const idleRss = process.memoryUsage().rss;
  let peakRss = 0;
  const sampler = setInterval(() => (peakRss = Math.max(peakRss, process.memoryUsage().rss)), 20);
  const cpu = process.cpuUsage();
  const start = performance.now();
  const { export: created } = await opened.exports.create(
    { ...range, format: values.format },
    { requester: REQUESTER },
  );
  let view = created;
  const watching = (async () => {
    for await (view of opened.exports.watch(created.id, REQUESTER));
  })();
  const during = await pages(() => view.state !== 'queued' && view.state !== 'running');
  await watching;
  const seconds = (Date.parse(view.finishedAt) - Date.parse(view.createdAt)) / 1000;
  const { user, system } = process.cpuUsage(cpu);
  clearInterval(sampler);
  print({
    state: view.state === 'ready' ? 'ready' : JSON.stringify(view.error),
    entries: view.progress.done,
    'wall s': seconds.toFixed(1),
    'entries/s': Math.round(view.progress.done / seconds),
    'file MB': (view.file.bytes / 1e6).toFixed(1),
    'RSS before, peak MB': `${mb(idleRss)}, ${mb(peakRss)}`,
    'CPU s': ((user + system) / 1e6).toFixed(1),
    'page ms before, p50/p99/max': spread(before),
    'page ms during, p50/p99/max': `${spread(during)} (${during.length} pages)`,
    machine: `${availableParallelism()} x ${cpus()[0].model}, Node ${process.version}`,
    'elapsed s': ((performance.now() - start) / 1000).toFixed(1),
  });
  await worker.stop();
  await opened.close();
} finally {
  await pool.end();
  await server?.stop();
  rmSync(exportDir, { recursive: true, force: true });
}

/** Durations of first pages, one after the other with a short pause, until `enough`. */
async function pages(enough) {
  const durations = [];
  while (!enough(durations.length)) {
    const start = performance.now();
    await reader.page(range, { limit: 50 });
    durations.push(performance.now() - start);
    await delay(PAGE_PAUSE_MS);
  }
  return durations.sort((a, b) => a - b);
}

/** A module of test/support, which is TypeScript, compiled beside the build. */
async function testSupport(name) {
  const folder = path.resolve(import.meta.dirname, '../../dist/bench');
  const source = path.resolve(import.meta.dirname, `../support/${name}.ts`);
  const { code } = transformFileSync(source, {
    swcrc: false,
    jsc: { target: 'es2022', parser: { syntax: 'typescript' } },
    module: { type: 'es6' },
  });
  mkdirSync(folder, { recursive: true });
  const file = path.join(folder, `${name}.mjs`);
  writeFileSync(file, code);
  return import(file);
}

function spread(sorted) {
  const at = (share) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))];
  return [at(0.5), at(0.99), at(1)].map((ms) => ms.toFixed(1)).join(' / ');
}

function print(figures) {
  for (const [name, figure] of Object.entries(figures)) process.stdout.write(`${name.padEnd(30)}${figure}\n`);
}

function mb(bytes) {
  return Math.round(bytes / 1e6);
}
