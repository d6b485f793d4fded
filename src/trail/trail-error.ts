import { isWaltrailError, WaltrailError } from '../errors.js';
import { serverSays } from '../pg/server-message.js';
import {
  DISK_FULL,
  INSUFFICIENT_PRIVILEGE,
  isServerGone,
  READ_ONLY_SQL_TRANSACTION,
  sqlStateOf,
} from '../pg/sql-state.js';

/** SQLSTATE that `trail.advance` and `trail.adopt_source` raise (sql/trail/0001_trail.sql, 0005_gaps.sql). */
const CHECKPOINT_MOVED = 'WT001';

/** Where the SQLSTATE says more than that something of the usual causes it is. */
const REMEDIES: Readonly<Record<string, string>> = {
  [READ_ONLY_SQL_TRANSACTION]:
    'trail.url leads to a standby, or to a server that takes no writes: point it at the primary.',
  [INSUFFICIENT_PRIVILEGE]:
    'Let the user of trail.url own the schema trail and its tables, or be a member of the role that does; the message of the server names what it may not do. Where the daemon has a login for each role, run commands with the URL of the owner in WALTRAIL_TRAIL_URL.',
  [DISK_FULL]: 'Free space on the disk of the trail, or shorten trail.retention; Waltrail tries again.',
};

/**
 * Translates the error of a failed statement or connection of the trail. Branches on SQLSTATE; the message
 * quotes the server's where it can hold no value.
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
  return new WaltrailError('TRAIL_DISCONNECTED', 'The connection to the trail is gone.', { cause: error });
}
