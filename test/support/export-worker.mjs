// An export worker as a process of its own, to be killed: `node export-worker.mjs <JSON of the options>`. Says "ready" on stdout.
import { startExportWorker } from '../../dist/exports/worker.js';
import { silentLog } from '../../dist/log.js';

const worker = await startExportWorker({ ...JSON.parse(process.argv[2]), log: silentLog });
process.stdout.write('ready\n');
// Its parent is gone when the pipe closes: do not outlive a test run that was killed.
process.stdin.resume();
process.stdin.once('end', () => void worker.stop().then(() => process.exit()));
