import { isWaltrailError, WaltrailError } from '../errors.js';
import { isServerGone, sqlStateOf } from '../pg/sql-state.js';

/** SQLSTATE that `trail.advance` and `trail.adopt_source` raise (sql/trail/0001_trail.sql, 0005_gaps.sql). */
const CHECKPOINT_MOVED = 'WT001';

/**
 * Translates the error of a failed statement or connection of the trail. Branches on SQLSTATE; the message
 * contains no value.
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
    return new WaltrailError('TRAIL_WRITE_FAILED', `The trail refused a batch (${sqlState}).`, {
      cause: error,
    });
  }
  return new WaltrailError('TRAIL_DISCONNECTED', 'The connection to the trail is gone.', { cause: error });
}
