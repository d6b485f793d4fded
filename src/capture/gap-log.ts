import type { Log } from '../log.js';
import { formatLsn } from '../pg/lsn.js';
import type { FoundGap } from '../trail/write/gaps.js';

/** Gaps that are named one by one at once. */
const MAX_LOGGED = 10;

/** Says in the log which gaps were just recorded. */
export function logGaps(log: Log, gaps: readonly FoundGap[]): void {
  for (const { code, tables, fromLsn } of gaps.slice(0, MAX_LOGGED))
    log.error(
      { code, tables, fromLsn: formatLsn(fromLsn) },
      'A gap was found and recorded as an entry of the trail.',
    );
  if (gaps.length > MAX_LOGGED)
    log.error({ gaps: gaps.length }, 'Many gaps were found and recorded; waltrail gaps lists them.');
}
