// An export worker as a process of its own, to be killed: `node export-worker.mjs <JSON of the options>`.
// Says "ready" on stdout.
import { openExports } from '../../dist/exports/open.js';
import { silentLog } from '../../dist/log.js';

const { settings, config } = JSON.parse(process.argv[2]);
const exports = openExports({ settings, config, log: silentLog });
const worker = exports.startWorker();
await worker.ready;
process.stdout.write('ready\n');
// Its parent is gone when the pipe closes: do not outlive a test run that was killed.
process.stdin.resume();
process.stdin.once('end', async () => {
  await worker.stop();
  await exports.close();
  process.exit();
});
