/**
 * Runs Waltrail's capture in a separate process. Order: { yaml, until: LSN | null }. Reports `{ streaming:
 * true }`. With `until` it also reports `{ doneAt, counts }` when the committed checkpoint is beyond it. A
 * later `{ until }` requests the same again, and `report` the counts now.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { startCapture } from '../../../dist/capture/capture.js';
import { silentLog } from '../../../dist/log.js';
import { parseLsn } from '../../../dist/pg/lsn.js';
import { parseConfig } from '../../../dist/tracking/load.js';

const LOOK_INTERVAL_MS = 5;
let capture;

process.on('message', (order) => void obey(order).catch(fail));
process.on('disconnect', () => void capture.stop().then(() => process.exit(0), fail));

async function obey({ yaml, until, report = false }) {
  if (yaml !== undefined) {
    capture = startCapture({
      config: parseConfig({ text: yaml, file: 'bench.yaml', environment: {} }),
      log: silentLog,
    });
    await capture.ready;
    process.send({ streaming: true });
  }
  if (report) process.send({ counts: countsNow() });
  if (until === null) return;
  const target = parseLsn(until);
  for (;;) {
    const { checkpointLsn, error } = capture.status();
    if (error !== null) throw new Error(`${error.code}: ${error.message}`);
    if (checkpointLsn !== null && parseLsn(checkpointLsn) > target) {
      process.send({ doneAt: Date.now(), counts: countsNow() });
      return;
    }
    await delay(LOOK_INTERVAL_MS);
  }
}

function countsNow() {
  const { transactions, changes, entries, ignored } = capture.status();
  return { transactions, changes, entries, ignored };
}

function fail(error) {
  process.stderr.write(`${error.stack}\n`);
  process.exit(1);
}
