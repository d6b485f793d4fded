// Runs one slow export in its own process, which a test may kill at any moment: `node export-run.mjs <JSON of
// id, url, directory and batchRows>`. Prints when it begins and how it ended.
import { setTimeout as delay } from 'node:timers/promises';
import { ExportFiles } from '../../dist/exports/files.js';
import { runExport } from '../../dist/exports/run.js';
import { ExportStore } from '../../dist/exports/store.js';
import { silentLog } from '../../dist/log.js';
import { createPool } from '../../dist/pg/connect.js';
import { TrailReader } from '../../dist/trail/read/trail-reader.js';

const BATCH_MS = 250;

const { id, url, directory, batchRows } = JSON.parse(process.argv[2]);
const pool = createPool({ url, purpose: 'test', max: 2 });
const reader = new TrailReader({ pool, batchRows });
process.stdout.write('begun ');
const outcome = await runExport({
  id,
  store: new ExportStore({ pool }),
  files: new ExportFiles({ directory }),
  reader: {
    count: (...given) => reader.count(...given),
    gaps: (...given) => reader.gaps(...given),
    async *walkRows(...given) {
      for await (const batch of reader.walkRows(...given)) {
        await delay(BATCH_MS);
        yield batch;
      }
    },
  },
  signal: new AbortController().signal,
  version: '0.0.0',
  log: silentLog,
});
process.stdout.write(outcome, () => process.exit());
