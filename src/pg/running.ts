import type pg from 'pg';
import { setTimeout as sleep } from 'node:timers/promises';

const POLL_MS = 100;

/**
 * Transactions of this database that have written something and have not ended. From the locks on their
 * numbers, which are given back only after everybody can see the transaction. Which database a backend is
 * connected to every role may read; a prepared transaction has no backend, and counts whatever its database
 * is.
 */
export async function runningTransactions(client: pg.Client): Promise<string[]> {
  const { rows } = await client.query<{
    xid: string;
  }>(/* sql */ `select l.transactionid::text as xid
                  from pg_catalog.pg_locks l
                  left join pg_catalog.pg_stat_activity a on a.pid = l.pid
                 where l.locktype = 'transactionid' and l.mode = 'ExclusiveLock' and l.granted
                   and (a.datname is null or a.datname = pg_catalog.current_database())`);
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
