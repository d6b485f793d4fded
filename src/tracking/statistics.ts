import type pg from 'pg';
import { catalogRows } from '../pg/catalog-rows.js';
import { LOCK_NOT_AVAILABLE, sqlStateOf } from '../pg/sql-state.js';
import type { ColumnWidth } from './row-width.js';

/** What PostgreSQL has counted and sampled about tables, by oid. */
export interface Statistics {
  /** Seconds since the counters were reset; null if unknown. */
  readonly windowSeconds: number | null;
  readonly members: ReadonlyMap<string, MemberStatistics>;
}

/** Statistics of one table that holds rows. */
export interface MemberStatistics {
  readonly oid: string;
  /** Rows at the last ANALYZE or VACUUM; negative: never analyzed. */
  readonly analyzedRows: number;
  /** Rows by the counters; also 0 after a reset of the counters. */
  readonly liveRows: number;
  /** Rows inserted, updated or deleted since the last ANALYZE. */
  readonly changedSince: number;
  readonly updates: number;
  readonly deletes: number;
  /** Columns of its present replica identity. Empty: it has none, or a full one. */
  readonly key: readonly string[];
  /** Whether the role may read the table, and so its statistics. */
  readonly readable: boolean;
  /** Columns in order, including dropped ones: old rows may still have values in them. */
  readonly columns: readonly ColumnWidth[];
  /** Values stored outside of the rows (TOAST); null: the table has no TOAST table. */
  readonly large: LargeValues | null;
}

export interface LargeValues {
  /** Size of the TOAST table; null: it could not be read without waiting for a lock. */
  readonly bytes: number | null;
  /** Chunks written since the counters were reset. */
  readonly written: number;
  readonly removed: number;
}

/** How long to wait for a table that another session has locked exclusively. */
const LOCK_LIMIT_MS = 200;

/**
 * Reads the statistics of tables. Reads none of their rows and executes none of their owners' code.
 * Statistics come from catalogs, and the size of TOAST tables from their files.
 */
export async function readStatistics(client: pg.Client, oids: readonly string[]): Promise<Statistics> {
  const [{ windowSeconds }] = (await catalogRows<{ windowSeconds: number | null }>(client, WINDOW)) as [
    { windowSeconds: number | null },
  ];
  if (oids.length === 0) return { windowSeconds, members: new Map() };
  const rows = await catalogRows<Omit<MemberStatistics, 'large'> & LargeRow>(client, membersSql(oids));
  const sizes = await readSizes(
    client,
    rows.flatMap(({ toast }) => toast ?? []),
  );
  const members = rows.map(({ toast, written, removed, ...member }) => ({
    ...member,
    large: toast === null ? null : { bytes: sizes?.get(toast) ?? null, written, removed },
  }));
  return { windowSeconds, members: new Map(members.map((member) => [member.oid, member])) };
}

interface LargeRow {
  /** Oid of the TOAST table; null: there is none. */
  readonly toast: string | null;
  readonly written: number;
  readonly removed: number;
}

/**
 * Reads sizes in bytes by oid, without tables that are locked exclusively; undefined if a table is locked
 * while they are read.
 */
async function readSizes(
  client: pg.Client,
  oids: readonly string[],
): Promise<ReadonlyMap<string, number> | undefined> {
  await client.query('begin read only');
  try {
    await client.query(`set local lock_timeout = ${LOCK_LIMIT_MS}`);
    const { rows } = await client.query<{ oid: string; bytes: number }>(
      /* sql */ `select t.oid::text, pg_catalog.pg_relation_size(t.oid, 'main')::float8 as bytes
                   from unnest($1::oid[]) as t (oid)
                  where t.oid not in (
                    select l.relation from pg_catalog.pg_locks l
                     where l.relation is not null and l.mode = 'AccessExclusiveLock'
                       and l.database = (select d.oid from pg_catalog.pg_database d where d.datname = pg_catalog.current_database()))`,
      [oids],
    );
    return new Map(rows.map(({ oid, bytes }) => [oid, bytes]));
  } catch (error) {
    if (sqlStateOf(error) === LOCK_NOT_AVAILABLE) return undefined;
    throw error;
  } finally {
    await client.query('rollback').catch(() => undefined);
  }
}

/**
 * The time since the counters of this database were reset. If they never were, it is the time since the
 * server began to count, which it records for other statistics. Counters survive a restart, but not a crash.
 */
const WINDOW = /* sql */ `
  select extract(epoch from now() - coalesce(
           d.stats_reset,
           least((select b.stats_reset from pg_catalog.pg_stat_bgwriter b),
                 (select a.stats_reset from pg_catalog.pg_stat_archiver a),
                 (select w.stats_reset from pg_catalog.pg_stat_wal w))))::float8 as "windowSeconds"
    from pg_catalog.pg_stat_database d where d.datname = current_database()`;

const membersSql = (oids: readonly string[]): string => /* sql */ `
  select c.oid::text as oid,
         c.reltuples::float8 as "analyzedRows",
         coalesce(s.n_live_tup, 0)::float8 as "liveRows",
         coalesce(s.n_mod_since_analyze, 0)::float8 as "changedSince",
         coalesce(s.n_tup_upd, 0)::float8 as updates,
         coalesce(s.n_tup_del, 0)::float8 as deletes,
         coalesce((
           select pg_catalog.jsonb_agg(a.attname)
             from pg_catalog.pg_index i
             join pg_catalog.pg_attribute a on a.attrelid = c.oid and a.attnum = any (i.indkey::int2[])
            where i.indrelid = c.oid and (c.relreplident = 'd' and i.indisprimary or c.relreplident = 'i' and i.indisreplident)), '[]') as key,
         coalesce(pg_catalog.has_table_privilege(c.oid, 'select'), false) as readable,
         t.oid::text as toast,
         coalesce(ts.n_tup_ins, 0)::float8 as written,
         coalesce(ts.n_tup_del, 0)::float8 as removed,
         (select pg_catalog.jsonb_agg(pg_catalog.jsonb_build_object(
                   'name', a.attname, 'length', a.attlen, 'dropped', a.attisdropped,
                   'align', case a.attalign when 'd' then 8 when 'i' then 4 when 's' then 2 else 1 end,
                   'width', p.avg_width, 'nullFraction', coalesce(p.null_frac, 0)) order by a.attnum)
            from pg_catalog.pg_attribute a
            left join pg_catalog.pg_stats p
              on p.schemaname = n.nspname and p.tablename = c.relname and p.attname = a.attname and not p.inherited
           where a.attrelid = c.oid and a.attnum > 0) as columns
    from pg_catalog.pg_class c
    join pg_catalog.pg_namespace n on n.oid = c.relnamespace
    left join pg_catalog.pg_class t on t.oid = c.reltoastrelid
    left join pg_catalog.pg_stat_all_tables s on s.relid = c.oid
    left join pg_catalog.pg_stat_all_tables ts on ts.relid = t.oid
   where c.oid in (${oids.map(Number).join(', ')})`;
