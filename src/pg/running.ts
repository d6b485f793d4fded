import type pg from 'pg';
import { setTimeout as sleep } from 'node:timers/promises';

const POLL_MS = 100;

/**
 * Transactions of the source that have written something and have not ended. From the locks on their numbers: those are
 * given back only after everybody can see the transaction, and, unlike other sessions' activity, every role may read them.
 */
export async function runningTransactions(client: pg.Client): Promise<string[]> {
  const { rows } = await client.query<{
    xid: string;
  }>(/* sql */ `select transactionid::text as xid from pg_catalog.pg_locks
                where locktype = 'transactionid' and mode = 'ExclusiveLock' and granted`);
  return rows.map(({ xid }) => xid);
}

/** Waits until none of these runs. False when they still do after `limitMs`. */
export async function untilEnded(
  client: pg.Client,
  options: {
    readonly transactions: readonly string[];
    readonly limitMs: number;
    readonly signal: AbortSignal;
  },
): Promise<boolean> {
  const waited = new Set(options.transactions);
  const until = performance.now() + options.limitMs;
  for (;;) {
    if (!(await runningTransactions(client)).some((xid) => waited.has(xid))) return true;
    if (performance.now() >= until) return false;
    await sleep(POLL_MS, undefined, { signal: options.signal });
  }
}
