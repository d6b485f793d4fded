import type { Log } from '../log.js';
import { formatLsn } from '../pg/lsn.js';
import type { FoundGap } from '../trail/write/gaps.js';

/** Number of gaps that get a log line each. */
const MAX_LOGGED = 10;

/** Logs the gaps that were just recorded. */
export function logGaps(log: Log, gaps: readonly FoundGap[]): void {
  for (const { code, tables, fromLsn } of gaps.slice(0, MAX_LOGGED))
    log.error(
      { code, tables, fromLsn: formatLsn(fromLsn) },
      'A gap was found and recorded as an entry of the trail.',
    );
  if (gaps.length > MAX_LOGGED)
    log.error({ gaps: gaps.length }, 'Many gaps were found and recorded. Run waltrail gaps to list them.');
}
