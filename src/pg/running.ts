import type pg from 'pg';
import { setTimeout as sleep } from 'node:timers/promises';
import { catalogRows } from './catalog-rows.js';

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

/** A transaction that has written something and has not ended, as a DBA finds it. */
export interface RunningTransaction {
  readonly xid: string;
  /** Null: it is prepared, and no process has it. */
  readonly pid: number | null;
  /** By which a prepared transaction is committed or rolled back; null: it is none. */
  readonly gid: string | null;
  /** RFC 3339; null where the role may not see it (pg_read_all_stats). */
  readonly since: string | null;
  readonly user: string | null;
  readonly application: string | null;
  readonly database: string | null;
}

/**
 * Describes the transactions of {@link runningTransactions}, the oldest first; never by their statements.
 *
 * @param options.everywhere those of every database of the cluster
 */
export async function describeRunning(
  client: pg.Client,
  options: { readonly everywhere: boolean },
): Promise<RunningTransaction[]> {
  // Names and gids may be bytes that are no text anywhere.
  return catalogRows<RunningTransaction>(
    client,
    /* sql */ `select l.transactionid::text as xid, a.pid, p.gid::text as gid,
                      pg_catalog.to_char(coalesce(a.xact_start, p.prepared) at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') as since,
                      coalesce(a.usename, p.owner)::text as "user",
                      a.application_name::text as application,
                      coalesce(a.datname, p.database)::text as database
                 from pg_catalog.pg_locks l
                 left join pg_catalog.pg_stat_activity a on a.pid = l.pid
                 left join pg_catalog.pg_prepared_xacts p on p.transaction = l.transactionid
                where l.locktype = 'transactionid' and l.mode = 'ExclusiveLock' and l.granted
                  and (${options.everywhere} or coalesce(a.datname, p.database) is null or coalesce(a.datname, p.database) = pg_catalog.current_database())
                order by coalesce(a.xact_start, p.prepared) nulls last, pg_catalog.age(l.transactionid) desc`,
  );
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
