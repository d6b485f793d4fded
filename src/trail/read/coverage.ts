import { ID_SQL } from '../entry-id.js';

/**
 * Seconds for which a note of the capturing daemon shows that capture streams. A note is written every ten
 * seconds.
 */
const NOTE_LIMIT_S = 30;

const utc = (instant: string): string =>
  `to_char((${instant}) at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')`;

/**
 * Reads what the trail covers: one row, `TrailCoverage` of the API. A day is dropped by the time at which its
 * entries were stored, and entries are stored after their commits. Everything committed after a dropped day
 * is therefore in the trail.
 */
export const COVERAGE_SQL = /* sql */ `
  select ${utc('select began_at from trail.checkpoint')} as since,
         ${utc(`select ${ID_SQL.timeOfDay('max(day) + 1')} from trail.day where dropped_at is not null`)} as "droppedBefore",
         ${utc('select until from trail.current_until')} as until,
         ${utc('clock_timestamp()')} as "asOf",
         case when (select noted_at > clock_timestamp() - interval '${NOTE_LIMIT_S} seconds' from trail.current_until)
              then 'streaming' else 'unknown' end as capture`;
