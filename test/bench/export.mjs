/**
 * One export of a large trail, made by the worker of this process while its main thread answers pages all the
 * time.
 */
import { performance } from 'node:perf_hooks';
import { setTimeout as delay } from 'node:timers/promises';
import { openExports } from '../../dist/exports/open.js';
import { silentLog } from '../../dist/log.js';
import { createPool } from '../../dist/pg/connect.js';
import { TrailReader } from '../../dist/trail/read/trail-reader.js';
import { withCluster } from './ground.mjs';
import { medians, quantile, say, temporaryFolder } from './lib.mjs';
import { seedWeek } from './trail-data.mjs';

export const defaults = { entries: 300_000, format: 'xlsx', runs: 1 };
const DAY_MS = 86_400_000;
const PAGE_PAUSE_MS = 20;
const BASELINE_PAGES = 200;
const REQUESTER = {
  tokenId: '00000000-0000-4000-8000-000000000001',
  name: 'bench',
  role: 'admin',
  tenant: null,
};

export async function run({ entries, format, runs }) {
  return withCluster({}, async ({ server, client }) => {
    const url = server.url('postgres');
    say('  seeding …');
    const range = await seedWeek({ url, entries });
    const exportDir = temporaryFolder();
    const measured = [];
    for (let index = 0; index < runs; index++)
      measured.push(await exportOnce({ url, exportDir, range, format }));
    const { rows } = await client.query('show server_version');
    const middle = medians(measured);
    return {
      versions: { postgres: rows[0].server_version },
      rows: Object.entries(middle).map(([figure, value]) => ({ figure, median: value })),
      runs: measured,
    };
  });
}

async function exportOnce({ url, exportDir, range, format }) {
  const settings = { redisUrl: undefined, exportDir };
  const config = { source: { name: 'bench' }, trail: { url } };
  const reports = () => ({ maxRangeMs: 7 * DAY_MS, maxRangeDays: 7, timezone: 'Europe/Berlin' });
  const pool = createPool({ url, purpose: 'bench', max: 4 });
  const reader = new TrailReader({ pool });
  const opened = openExports({ settings, config, log: silentLog });
  const exports = opened.forApi(reports);
  const worker = opened.startWorker();
  await worker.ready;
  let peakRss = 0;
  const sampler = setInterval(() => (peakRss = Math.max(peakRss, process.memoryUsage().rss)), 20);
  try {
    const before = await pages({ reader, range, enough: (count) => count >= BASELINE_PAGES });
    const idleRss = process.memoryUsage().rss;
    peakRss = 0;
    const cpu = process.cpuUsage();
    const { export: created } = await exports.create({ ...range, format }, { requester: REQUESTER });
    let view = created;
    const watching = (async () => {
      for await (view of exports.watch(created.id, REQUESTER));
    })();
    const during = await pages({
      reader,
      range,
      enough: () => view.state !== 'queued' && view.state !== 'running',
    });
    await watching;
    if (view.state !== 'ready') throw new Error(`the export is ${view.state}: ${JSON.stringify(view.error)}`);
    const seconds = (Date.parse(view.finishedAt) - Date.parse(view.createdAt)) / 1000;
    const { user, system } = process.cpuUsage(cpu);
    return {
      entries: view.progress.done,
      seconds,
      entriesPerS: Math.round(view.progress.done / seconds),
      fileMb: view.file.bytes / 1e6,
      rssBeforeMb: idleRss / 1e6,
      peakRssMb: peakRss / 1e6,
      cpuS: (user + system) / 1e6,
      pageBeforeP50Ms: quantile(before, 0.5),
      pageBeforeP99Ms: quantile(before, 0.99),
      pageBeforeMaxMs: quantile(before, 1),
      pageDuringP50Ms: quantile(during, 0.5),
      pageDuringP99Ms: quantile(during, 0.99),
      pageDuringMaxMs: quantile(during, 1),
      pagesDuring: during.length,
    };
  } finally {
    clearInterval(sampler);
    await worker.stop();
    await opened.close();
    await pool.end();
  }
}

/** Durations of first pages, one after the other with a short pause, until `enough`. */
async function pages({ reader, range, enough }) {
  const durations = [];
  while (!enough(durations.length)) {
    const start = performance.now();
    await reader.page(range, { limit: 50 });
    durations.push(performance.now() - start);
    await delay(PAGE_PAUSE_MS);
  }
  return durations;
}
