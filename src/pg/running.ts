import type pg from 'pg';
import { setTimeout as sleep } from 'node:timers/promises';
import { catalogRows } from './catalog-rows.js';

const POLL_MS = 100;

/**
 * Returns the transactions of this database that have written something and have not ended. They are found by
 * the locks on their ids, which PostgreSQL releases only after the end of the transaction is visible to
 * everyone. Every role may read the database of a backend. A prepared transaction has no backend, so it is
 * returned whatever its database is.
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
  /** Null: the transaction is prepared and belongs to no process. */
  readonly pid: number | null;
  /**
   * The identifier with which a prepared transaction is committed or rolled back. Null: it is not prepared.
   */
  readonly gid: string | null;
  /** RFC 3339; null where the role may not see it (pg_read_all_stats). */
  readonly since: string | null;
  readonly user: string | null;
  readonly application: string | null;
  readonly database: string | null;
}

/**
 * Describes the transactions of {@link runningTransactions}, oldest first, without their statements.
 *
 * @param options.everywhere includes every database of the cluster
 */
export async function describeRunning(
  client: pg.Client,
  options: { readonly everywhere: boolean },
): Promise<RunningTransaction[]> {
  // The bytes of names and gids may be invalid in every encoding.
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
 * Returns, by table, the transactions that hold a lock for writing rows of the table or of its partitions. A
 * transaction that has written such rows holds the lock until its end is visible to everyone.
 *
 * @param tables oids; a table that no longer exists is not in the result
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

/** Waits until all of these transactions have ended. Returns false if some still run after `limitMs`. */
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
