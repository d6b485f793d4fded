import { ID_SQL } from '../entry-id.js';

/** How long a note of whoever captures says that capture streams. It is written every ten seconds. */
const NOTE_LIMIT_S = 30;

const utc = (instant: string): string =>
  `to_char((${instant}) at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')`;

/**
 * What the trail covers: one row, `TrailCoverage` of the API. Days are dropped by when their entries were
 * stored, which is after their commits: what was committed after a dropped day is there.
 */
export const COVERAGE_SQL = /* sql */ `
  select ${utc('select began_at from trail.checkpoint')} as since,
         ${utc(`select ${ID_SQL.timeOfDay('max(day) + 1')} from trail.day where dropped_at is not null`)} as "droppedBefore",
         ${utc('select until from trail.current_until')} as until,
         ${utc('clock_timestamp()')} as "asOf",
         case when (select noted_at > clock_timestamp() - interval '${NOTE_LIMIT_S} seconds' from trail.current_until)
              then 'streaming' else 'unknown' end as capture`;
