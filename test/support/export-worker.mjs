// An export worker as a process of its own, to be killed: `node export-worker.mjs <JSON of the options>`. Says "ready" on stdout.
import { openQueue } from '../../dist/exports/queue.js';
import { startExportWorker } from '../../dist/exports/worker.js';
import { silentLog } from '../../dist/log.js';

const { settings, config } = JSON.parse(process.argv[2]);
const queue = openQueue({
  trailUrl: config.trail.url,
  redisUrl: settings.redisUrl,
  source: config.source.name,
  log: silentLog,
});
const worker = startExportWorker({ settings, config, queue, log: silentLog });
await worker.ready;
process.stdout.write('ready\n');
// Its parent is gone when the pipe closes: do not outlive a test run that was killed.
process.stdin.resume();
process.stdin.once('end', async () => {
  await worker.stop();
  await queue.close();
  process.exit();
});
