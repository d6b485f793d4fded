/**
 * A process that makes exports in a separate thread as the daemon does. Its main thread answers pages all the
 * time.
 */
import { performance } from 'node:perf_hooks';
import { setTimeout as delay } from 'node:timers/promises';
import { openExports } from '../../../dist/exports/open.js';
import { silentLog } from '../../../dist/log.js';
import { createPool } from '../../../dist/pg/connect.js';
import { TrailReader } from '../../../dist/trail/read/trail-reader.js';
import { quantile } from '../lib.mjs';

const DAY_MS = 86_400_000;
const PAGE_PAUSE_MS = 20;
const BASELINE_PAGES = 200;
const REQUESTER = {
  tokenId: '00000000-0000-4000-8000-000000000001',
  name: 'bench',
  role: 'admin',
  tenant: null,
};

process.once('message', async ({ url, exportDir, range, timezone, format, isKept = false }) => {
  const settings = { redisUrl: undefined, exportDir };
  const config = { source: { name: 'bench' }, trail: { url } };
  const reports = () => ({ maxRangeMs: 7 * DAY_MS, maxRangeDays: 7, timezone });
  const pool = createPool({ url, purpose: 'bench', max: 4 });
  const reader = new TrailReader({ pool });
  const opened = openExports({ settings, config, log: silentLog });
  const exports = opened.forApi(reports);
  const worker = opened.startWorker();
  await worker.ready;
  const before = await pages({ reader, range, enough: (count) => count >= BASELINE_PAGES });
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
  const { user, system } = process.cpuUsage(cpu);
  process.send({
    entries: view.progress.done,
    file: `${created.id}.${format}`,
    seconds: (Date.parse(view.finishedAt) - Date.parse(view.createdAt)) / 1000,
    fileMb: view.file.bytes / 1e6,
    cpuS: (user + system) / 1e6,
    pageBeforeP99Ms: quantile(before, 0.99),
    pageP99Ms: quantile(during, 0.99),
  });
  if (!isKept) await exports.remove(created.id, REQUESTER);
  await worker.stop();
  await opened.close();
  await pool.end();
});
process.once('disconnect', () => process.exit());

/** Returns the durations of first pages, one after the other with a short pause, until `enough`. */
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
