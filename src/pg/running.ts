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

/**
 * Transactions that hold a lock with which rows of a table, or of its partitions, are written, by table. A
 * transaction that has written one holds such a lock until everybody can see its end.
 *
 * @param tables oids; of one that is gone there are none
 */
export async function writersOf(
  client: pg.Client,
  tables: readonly string[],
): Promise<ReadonlyMap<string, readonly string[]>> {
  const { rows } = await client.query<{ oid: string; writers: string[] }>(
    /* sql */ `with recursive member as (
                 select t as root, t as relid from unnest($1::oid[]) as t
                 union
                 select m.root, i.inhrelid
                   from member m
                   join pg_catalog.pg_class c on c.oid = m.relid and c.relkind = 'p'
                   join pg_catalog.pg_inherits i on i.inhparent = m.relid)
               select m.root::text as oid, array_agg(distinct l.virtualtransaction::text) as writers
                 from member m
                 join pg_catalog.pg_locks l on l.relation = m.relid
                where l.locktype = 'relation' and l.granted
                  and l.database = (select d.oid from pg_catalog.pg_database d where d.datname = pg_catalog.current_database())
                  and l.mode in ('RowExclusiveLock', 'ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock')
                group by m.root`,
    [tables],
  );
  return new Map(rows.map(({ oid, writers }) => [oid, writers]));
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
