// Runs an export worker in its own process, which a test may kill: `node export-worker.mjs <JSON of the
// options>`. Prints "ready".
import { openExports } from '../../dist/exports/open.js';
import { silentLog } from '../../dist/log.js';

const { settings, config } = JSON.parse(process.argv[2]);
const exports = openExports({ settings, config, log: silentLog });
const worker = exports.startWorker();
await worker.ready;
process.stdout.write('ready\n');
// When the pipe closes, the parent has ended. The worker must not outlive a killed test run.
process.stdin.resume();
process.stdin.once('end', async () => {
  await worker.stop();
  await exports.close();
  process.exit();
});
