import type pg from 'pg';
import type { Answer } from '../../api/answers.js';
import type { ErrorCode } from '../../errors.js';
import { gapSummary } from '../gap-summary.js';
import type { TrailCoverage } from './entry.js';
import type { TimeRange } from './range.js';

/**
 * A gap with its tables, as a reader sees it. Positions are LSNs such as `16/B374D848`. Times are ISO 8601 in
 * UTC with microseconds.
 */
export type Gap = Required<Answer<'Gap'>> & { readonly code: ErrorCode };

/** The newest gaps that overlap a range, the number of all of them, and the coverage of the trail. */
export interface GapsInRange {
  readonly gaps: readonly Gap[];
  readonly total: number;
  readonly coverage: TrailCoverage;
}

/** Counts of all gaps of a trail, with the newest gap. */
export type GapCounts = NonNullable<Answer<'Status'>['gaps']>;

/** The same counts, with a text that changes whenever a gap is found, extended, accepted or closed. */
export type VersionedGapCounts = GapCounts & { readonly version: string };

type Client = Pick<pg.ClientBase, 'query'>;

/** Reads the gaps of a trail, newest first. */
export async function listGaps(client: Client, options: { readonly limit: number }): Promise<Gap[]> {
  const { rows } = await client.query<GapRow>(
    /* sql */ `select ${COLUMNS} from trail.gap order by id desc limit $1`,
    [options.limit],
  );
  return rows.map(gapOf);
}

/**
 * Finds the gaps that overlap a range of commit time, newest first. A gap begins at the last entry before it,
 * or at minus infinity if there was none. It ends when capture resumed, or now if it is open.
 */
export async function findGaps(
  client: Client,
  options: { readonly range: TimeRange; readonly limit: number },
): Promise<Omit<GapsInRange, 'coverage'>> {
  const { range, limit } = options;
  const { rows } = await client.query<{ total: number; gaps: GapRow[] }>(
    /* sql */ `with found as (
                 select * from trail.gap
                  where coalesce(${LAST_ENTRY_AT}, '-infinity') < $2 and coalesce(closed_at, clock_timestamp()) >= $1
               )
               select (select count(*) from found)::int4 as total,
                      array(select to_json(g) from (select ${COLUMNS} from found order by id desc limit $3) g) as gaps`,
    [range.from, range.to, limit],
  );
  return { gaps: rows[0]!.gaps.map(gapOf), total: rows[0]!.total };
}

/** Counts the gaps of the trail, and reads the newest and the version of the list. */
export async function countGaps(client: Client): Promise<VersionedGapCounts> {
  const { rows } = await client.query<{
    open: number;
    total: number;
    version: string;
    last: GapRow | null;
  }>(/* sql */ `select count(*) filter (where closed_at is null)::int4 as open, count(*)::int4 as total,
                      ${VERSION} as version,
                      (select to_json(g) from (select ${COLUMNS} from trail.gap order by id desc limit 1) g) as last
                 from trail.gap`);
  const { open, total, version, last } = rows[0]!;
  return { open, total, version, last: last === null ? null : gapOf(last) };
}

/** A closed gap never changes, so the number of closed gaps is enough to detect a change. */
const VERSION = /* sql */ `md5(concat_ws(' ', count(*), count(closed_at),
                      string_agg(gap::text, ' ' order by id) filter (where closed_at is null)))`;

type GapRow = Omit<Gap, 'summary' | 'scope'>;

const utc = (column: string): string =>
  `to_char(${column} at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')`;

/**
 * Time of the last entry before the gap. If that time is impossible, such as infinity, the beginning of the
 * gap is unknown.
 */
const LAST_ENTRY_AT = /* sql */ `case when last_entry_at < '10000-01-01 00:00:00+00' then last_entry_at end`;

const COLUMNS = /* sql */ `id, code, tables, from_lsn::text as "fromLsn", to_lsn::text as "toLsn",
  ${utc(LAST_ENTRY_AT)} as "lastEntryAt", ${utc('found_at')} as "foundAt",
  ${utc('accepted_at')} as "acceptedAt", ${utc('closed_at')} as "closedAt"`;

function gapOf(row: GapRow): Gap {
  const { id, code, ...rest } = row;
  return { id, code, summary: gapSummary(code), scope: row.tables === null ? 'stream' : 'tables', ...rest };
}
