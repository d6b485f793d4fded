import { setTimeout as sleep } from 'node:timers/promises';
import type { Log } from '../log.js';
import { describeRunning } from '../pg/running.js';
import type { CaptureWaiting } from '../pipeline/capture-status.js';
import { onSource, type SourceAccess } from './source-state.js';

/** Between two looks at what is waited for; most waits are over before the first. */
const LOOK_MS = 2_000;
/** Between two lines of the log while the same transactions are waited for. */
const LOG_INTERVAL_MS = 60_000;
/** Transactions that are named; the others are counted. */
const MAX_NAMED = 10;

interface Waiter {
  /** Begins the sentence. */
  readonly what: string;
  /** Whether it waits for transactions of every database of the cluster. */
  readonly everywhere: boolean;
}

/** PostgreSQL makes a slot where it knows of every transaction how it ended. */
export const NEW_SLOT: Waiter = { what: 'A new replication slot', everywhere: true };
export const GAP_END: Waiter = { what: 'The end of a gap', everywhere: false };

export interface WaitingOptions extends SourceAccess {
  readonly log: Log;
  /** Called with what is waited for, whenever that was looked at, and with null when it is over. */
  readonly waiting: (waiting: CaptureWaiting | null) => void;
}

/**
 * Does work that waits for transactions of the source to end, and says for which: in the status, and in the
 * log when they are others than before, or again after a minute. A transaction is named that is seen twice:
 * what ends by itself is no news. Looking is never an error. `work` may call what it is given when the wait
 * is over and other work begins.
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
  // Ends the connection too, wherever it is.
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
          `${what} waits for transactions that run on the source; end them, or wait.`,
        );
      }
    }
  }
}
