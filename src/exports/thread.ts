import { constants, getPriority, setPriority } from 'node:os';
import { parentPort, workerData } from 'node:worker_threads';
import { createLog } from '../log.js';
import { TrailReader } from '../trail/read/trail-reader.js';
import { openTrailPool } from '../trail/roles.js';
import { readVersion } from '../version.js';
import { ExportFiles } from './files.js';
import { runExport, type RunOptions } from './run.js';
import { ExportStore } from './store.js';
import type { ThreadData, ThreadResult } from './thread-messages.js';

/** One connection reads the trail while the other writes progress. */
const CONNECTIONS = 2;
/**
 * Limit of one query: a search for text has to read the whole range, but a run that was given up must end.
 */
const STATEMENT_TIMEOUT_MS = 600_000;
/** What lasts longer is no small export, even on a busy machine. */
const QUICK_MS = 15_000;

/*
 * Entry file of the thread that makes one export and ends. So encoding and compression never hold up the
 * event loop that answers the API, and a run that needs too much memory ends the thread alone.
 */
const port = parentPort!;
const { isQuick } = workerData as ThreadData;
// To load what a workbook needs takes more than half a second of a processor, for which a thread of low
// priority waits a quarter of a minute on a busy machine. So a small file is made at once, and a large one
// begins at once.
if (isQuick) setTimeout(giveWay, QUICK_MS).unref();
else giveWay();
port.postMessage(await run(workerData as ThreadData));
// Not left to the event loop: a query of a cancelled run may still be running.
process.exit();

async function run(data: ThreadData): Promise<ThreadResult> {
  const stop = new AbortController();
  port.once('message', () => stop.abort());
  const pool = openTrailPool({
    url: data.trailUrl,
    purpose: 'export',
    role: 'waltrail_api',
    max: CONNECTIONS,
  });
  try {
    const outcome = await runExport({
      id: data.id,
      store: new ExportStore({ pool }),
      files: new ExportFiles({ directory: data.exportDir }),
      reader: givingWay(new TrailReader({ pool, statementTimeoutMs: STATEMENT_TIMEOUT_MS })),
      signal: stop.signal,
      version: readVersion(),
      log: createLog({ level: data.logLevel }),
    });
    return { outcome };
  } catch (error) {
    // Not the message: a driver's may quote a value.
    const { code, name } = error as Error & { code?: unknown };
    return { error: { code: typeof code === 'string' ? code : name } };
  }
}

/** Lets everything else go first, from now on. */
function giveWay(): void {
  const { PRIORITY_BELOW_NORMAL: low } = constants.priority;
  // On Linux a thread has a priority of its own; elsewhere this would slow down the whole daemon. Where the
  // daemon itself runs with a lower one, only root may raise it.
  if (process.platform === 'linux' && getPriority() < low) setPriority(low);
}

/** The reader of a run that gives way as soon as there is more than a batch of rows. */
function givingWay(reader: TrailReader): RunOptions['reader'] {
  return {
    count: (filter, options) => reader.count(filter, options),
    gaps: (range, options) => reader.gaps(range, options),
    async *walkRows(filter, options) {
      let batches = 0;
      for await (const batch of reader.walkRows(filter, options)) {
        if (++batches === 2) giveWay();
        yield batch;
      }
    },
  };
}
