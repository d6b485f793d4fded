import { isWaltrailError, WaltrailError } from '../errors.js';
import { serverSays } from '../pg/server-message.js';
import {
  DISK_FULL,
  INSUFFICIENT_PRIVILEGE,
  isServerGone,
  READ_ONLY_SQL_TRANSACTION,
  sqlStateOf,
} from '../pg/sql-state.js';

/** SQLSTATE raised by `trail.advance` and `trail.adopt_source` (sql/trail/0043_last_transaction.sql). */
const CHECKPOINT_MOVED = 'WT001';

/**
 * Remedies for SQLSTATEs that identify the cause. Other SQLSTATEs have the general remedy of
 * TRAIL_WRITE_FAILED.
 */
const REMEDIES: Readonly<Record<string, string>> = {
  [READ_ONLY_SQL_TRANSACTION]:
    'trail.url leads to a standby or a read-only server. Change it to the URL of the primary.',
  [INSUFFICIENT_PRIVILEGE]:
    'The user of trail.url must own the schema trail and its tables, or be a member of the role that owns them. The server message names the missing right. If the daemon has a login for each role, run commands with the URL of the owner in WALTRAIL_TRAIL_URL.',
  [DISK_FULL]:
    'Free space on the disk of the trail, or shorten trail.retention. Waltrail then continues automatically.',
};

/**
 * Translates the error of a failed statement or connection of the trail, by its SQLSTATE. The message quotes
 * the server only if the quoted part cannot contain a stored value.
 */
export function trailError(error: unknown): WaltrailError {
  if (isWaltrailError(error)) return error;
  const sqlState = sqlStateOf(error);
  if (sqlState === CHECKPOINT_MOVED) {
    return new WaltrailError('TRAIL_FENCED', 'Another writer moved the checkpoint of this trail.', {
      cause: error,
    });
  }
  if (sqlState !== undefined && !isServerGone(sqlState)) {
    const remedy = REMEDIES[sqlState];
    return new WaltrailError('TRAIL_WRITE_FAILED', `The trail refused a statement (${serverSays(error)}).`, {
      cause: error,
      ...(remedy === undefined ? {} : { remedy }),
    });
  }
  return new WaltrailError('TRAIL_DISCONNECTED', 'The connection to the trail was lost.', { cause: error });
}
