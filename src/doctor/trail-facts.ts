import type pg from 'pg';
import { COVERAGE_SQL } from '../trail/read/coverage.js';
import { ELECTION_LOCK } from '../trail/election.js';
import { holdersSql } from '../trail/role-lock.js';
import { queryTrail } from '../trail/query.js';

/** How current a trail is, and who writes it. */
export interface TrailStanding {
  readonly source: string;
  readonly slot: string;
  /** End of the last stored transaction, as PostgreSQL prints an LSN. */
  readonly endLsn: string;
  readonly entries: number;
  /** Commit time of the last entry, in RFC 3339. Null: there is none. */
  readonly lastEntryAt: string | null;
  /** Time up to which the trail is current, by the clock of the source. Null: not known yet. */
  readonly currentUntil: string | null;
  /** Seconds since capture last reported that time. */
  readonly saidSecondsAgo: number | null;
  /**
   * The process that holds the lock of capture. Null: none. `address`: its machine (null: connected over a
   * Unix socket). `pid`: the server process of the trail that serves it.
   */
  readonly capture: {
    readonly address: string | null;
    readonly pid: number;
    readonly since: string;
  } | null;
  /** Gaps that have not ended. `stream`: an open gap concerns the whole stream, and capture stops at it. */
  readonly gaps: { readonly open: number; readonly accepted: number; readonly stream: boolean };
  /** SHA-256 of the configuration in effect at the checkpoint. Null: none was stored. */
  readonly configuration: string | null;
}

/** The standing of a trail, and what housekeeping has done. */
export interface TrailFacts extends TrailStanding {
  /** Number of days ahead for which partitions exist. */
  readonly daysAhead: number;
  /** Shortest retention that is carried out, in days. Null: entries are kept forever. */
  readonly retentionFloor: number | null;
  readonly bytes: number;
  readonly baselines: readonly StoredBaseline[];
}

/** The outcome of a table's baseline. */
export interface StoredBaseline {
  readonly table: string;
  readonly outcome: 'taken' | 'too many rows' | 'too many bytes';
  readonly maxRows: number;
  readonly entries: number;
}

/** Reads how current the trail is. Undefined: the trail has not begun. */
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
      (select pg_catalog.jsonb_build_object('address', host(h.client_addr), 'pid', h.pid, 'since', to_char(h.backend_start at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'))
         from (${holdersSql(ELECTION_LOCK)}) h order by h.backend_start limit 1) as capture,
      (select pg_catalog.jsonb_build_object('open', count(*) filter (where g.accepted_at is null), 'accepted', count(*) filter (where g.accepted_at is not null), 'stream', coalesce(bool_or(g.accepted_at is null and g.tables is null), false))
         from trail.gap g where g.closed_at is null) as gaps,
      (select k.digest from trail.configuration k order by k.id desc limit 1) as configuration
    from trail.checkpoint c, coverage`,
  );
  return row;
}

/** Reads the facts about the trail. Undefined: the trail has not begun. */
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
