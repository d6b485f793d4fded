import { setTimeout as sleep } from 'node:timers/promises';
import type { Log } from '../log.js';
import { describeRunning } from '../pg/running.js';
import type { CaptureWaiting } from '../pipeline/capture-status.js';
import { onSource, type SourceAccess } from './source-state.js';

/** Time between two looks at the transactions that are waited for. Most waits end before the first look. */
const LOOK_MS = 2_000;
/** Time between two log lines while capture waits for the same transactions. */
const LOG_INTERVAL_MS = 60_000;
/** Number of transactions that are named. The others are only counted. */
const MAX_NAMED = 10;

interface Waiter {
  /** The subject of the sentence in the log. */
  readonly what: string;
  /** True if it waits for transactions of every database of the cluster. */
  readonly everywhere: boolean;
}

/** PostgreSQL completes a new slot only when all transactions that ran before have ended. */
export const NEW_SLOT: Waiter = { what: 'A new replication slot', everywhere: true };
export const GAP_END: Waiter = { what: 'The end of a gap', everywhere: false };

export interface WaitingOptions extends SourceAccess {
  readonly log: Log;
  /** Called after every look with what capture waits for, and with null when the wait has ended. */
  readonly waiting: (waiting: CaptureWaiting | null) => void;
}

/**
 * Runs `work`, which waits for transactions of the source to end, and reports these transactions. The status
 * shows them. The log shows them when they have changed, and again every minute. Only transactions that two
 * looks have seen are shown, so that short ones are not reported. A failed look is never an error. `work` may
 * call its argument when the wait has ended and other work begins.
 */
export async function sayWhileWaiting<T>(
  options: WaitingOptions & Waiter,
  work: (over: () => void) => Promise<T>,
): Promise<T> {
  const over = new AbortController();
  const end = (): void => {
    over.abort();
    options.waiting(null);
  };
  const looking = look({ ...options, over: over.signal });
  try {
    return await work(end);
  } finally {
    end();
    await looking;
  }
}

async function look(options: WaitingOptions & Waiter & { readonly over: AbortSignal }): Promise<void> {
  const { what, log, over, everywhere } = options;
  const since = new Date().toISOString();
  // Aborting also closes the connection.
  const source = { config: options.config, signal: AbortSignal.any([options.signal, over]) };
  let before = new Set<string>();
  let said = '';
  let saidAt = -Infinity;
  for (;;) {
    await sleep(LOOK_MS, undefined, { signal: source.signal }).catch(() => undefined);
    if (source.signal.aborted) return;
    const running = await onSource(source, (client) => describeRunning(client, { everywhere })).catch(
      () => undefined,
    );
    if (over.aborted) return;
    if (running !== undefined) {
      const lasting = running.filter(({ xid }) => before.has(xid));
      before = new Set(running.map(({ xid }) => xid));
      const named = lasting.slice(0, MAX_NAMED);
      options.waiting({ what, since, transactions: named, transactionCount: lasting.length });
      const key = lasting.map(({ xid }) => xid).join(' ');
      if (lasting.length > 0 && (key !== said || performance.now() - saidAt >= LOG_INTERVAL_MS)) {
        said = key;
        saidAt = performance.now();
        log.warn(
          { transactions: named, count: lasting.length, waitingSince: since },
          `${what} waits for transactions that run on the source. End them, or wait.`,
        );
      }
    }
  }
}
