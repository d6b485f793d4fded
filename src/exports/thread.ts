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
/** Limit of one query. A search for text has to read the whole range, but an abandoned run must end. */
const STATEMENT_TIMEOUT_MS = 600_000;
/** Time after which an export is not a small one, even on a busy machine. */
const QUICK_MS = 15_000;

/**
 * Entry file of the thread that runs one export and ends. So encoding and compression never delay the event
 * loop that answers the API, and a run that needs too much memory ends only its thread.
 */
const port = parentPort!;
const { isQuick } = workerData as ThreadData;
// Loading the modules for a workbook takes more than half a second of processor time. At low priority, this
// lasts a quarter of a minute on a busy machine. So a quick run begins with normal priority, and gives way
// later.
if (isQuick) setTimeout(giveWay, QUICK_MS).unref();
else giveWay();
port.postMessage(await run(workerData as ThreadData));
// Exits explicitly, because a query of a cancelled run may still be running.
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
    // Leaves the message out, because a driver's message may quote a value.
    const { code, name } = error as Error & { code?: unknown };
    return { error: { code: typeof code === 'string' ? code : name } };
  }
}

/** Lowers the priority of this thread from now on. */
function giveWay(): void {
  const { PRIORITY_BELOW_NORMAL: low } = constants.priority;
  // On Linux a thread has a priority of its own. Elsewhere, this would slow down the whole daemon. If the
  // daemon itself runs with a lower priority, only root may raise it.
  if (process.platform === 'linux' && getPriority() < low) setPriority(low);
}

/** Wraps the reader of a run: once it has read more than one batch of rows, the thread gives way. */
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
