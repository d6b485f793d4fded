import type pg from 'pg';
import { COVERAGE_SQL } from '../trail/read/coverage.js';
import { ELECTION_LOCK } from '../trail/election.js';
import { queryTrail } from '../trail/query.js';

/** How far a trail is, and who writes it. */
export interface TrailStanding {
  readonly source: string;
  readonly slot: string;
  /** End of the last transaction that is stored, as PostgreSQL writes it. */
  readonly endLsn: string;
  readonly entries: number;
  /** RFC 3339; null: there is none. */
  readonly lastEntryAt: string | null;
  /** Up to when the trail is current, by the clock of the source; null: not known yet. */
  readonly currentUntil: string | null;
  /** Since capture last said so, in seconds. */
  readonly saidSecondsAgo: number | null;
  /**
   * Who holds the lock that elects whoever captures; null: nobody. `address` is that of its machine (null:
   * over a Unix socket), `pid` that of the process of the trail's server which serves it.
   */
  readonly capture: {
    readonly address: string | null;
    readonly pid: number;
    readonly since: string;
  } | null;
  /** `stream`: an open one is of the whole stream, at which capture stops. */
  readonly gaps: { readonly open: number; readonly accepted: number; readonly stream: boolean };
  /** SHA-256 of the configuration in effect at the checkpoint; null: none was stored. */
  readonly configuration: string | null;
}

/** The same with what housekeeping has done. */
export interface TrailFacts extends TrailStanding {
  /** Days ahead for which there are partitions. */
  readonly daysAhead: number;
  /** Null: forever. */
  readonly retentionFloor: number | null;
  readonly bytes: number;
  readonly baselines: readonly StoredBaseline[];
}

/** What became of the baseline of a table. */
export interface StoredBaseline {
  readonly table: string;
  readonly outcome: 'taken' | 'too many rows' | 'too many bytes';
  readonly maxRows: number;
  readonly entries: number;
}

/** Undefined: the trail has not begun. */
export async function readTrailStanding(client: pg.Client): Promise<TrailStanding | undefined> {
  const [row] = await queryTrail<TrailStanding & pg.QueryResultRow>(
    client,
    /* sql */ `
    with coverage as (${COVERAGE_SQL})
    select
      c.source, c.slot, c.end_lsn::text as "endLsn", c.entries::float8 as entries,
      to_char(nullif(nullif(c.last_committed_at, 'infinity'), '-infinity') at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as "lastEntryAt",
      coverage.until as "currentUntil",
      (select extract(epoch from clock_timestamp() - u.noted_at)::float8 from trail.current_until u) as "saidSecondsAgo",
      (select pg_catalog.jsonb_build_object('address', host(a.client_addr), 'pid', l.pid, 'since', to_char(a.backend_start at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'))
         from pg_catalog.pg_locks l
         join pg_catalog.pg_database d on d.oid = l.database and d.datname = pg_catalog.current_database()
         left join pg_catalog.pg_stat_activity a on a.pid = l.pid
        where l.locktype = 'advisory' and l.classid = ${ELECTION_LOCK}::oid and l.objid = 0 and l.objsubid = 2 and l.granted) as capture,
      (select pg_catalog.jsonb_build_object('open', count(*) filter (where g.accepted_at is null), 'accepted', count(*) filter (where g.accepted_at is not null), 'stream', coalesce(bool_or(g.accepted_at is null and g.tables is null), false))
         from trail.gap g where g.closed_at is null) as gaps,
      (select k.digest from trail.configuration k order by k.id desc limit 1) as configuration
    from trail.checkpoint c, coverage`,
  );
  return row;
}

/** Undefined: the trail has not begun. */
export async function readTrailFacts(client: pg.Client): Promise<TrailFacts | undefined> {
  const standing = await readTrailStanding(client);
  const [kept] = await queryTrail<Omit<TrailFacts, keyof TrailStanding>>(
    client,
    /* sql */ `
    select
      (select coalesce(max(to_date(p.relname::text, '"entry_"YYYY_MM_DD')), '2026-01-01'::date) from pg_catalog.pg_inherits i
         join pg_catalog.pg_class p on p.oid = i.inhrelid
        where i.inhparent = 'trail.entry'::pg_catalog.regclass and p.relname like 'entry\\_%') - (clock_timestamp() at time zone 'utc')::date as "daysAhead",
      (select f.days from trail.retention_floor f) as "retentionFloor",
      pg_catalog.pg_database_size(pg_catalog.current_database())::float8 as bytes,
      (select coalesce(pg_catalog.jsonb_agg(pg_catalog.jsonb_build_object(
                'table', b.table_name, 'outcome', b.outcome, 'maxRows', b.row_limit, 'entries', b.entries) order by b.table_name), '[]')
         from trail.baseline b) as baselines`,
  );
  return standing === undefined ? undefined : { ...standing, ...kept! };
}
