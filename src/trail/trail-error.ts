import { isWaltrailError, WaltrailError } from '../errors.js';
import { sqlStateOf } from '../pg/sql-state.js';

/** What a failed statement or connection of the trail means. Branches on SQLSTATE; the message names no value. */
export function trailError(error: unknown): WaltrailError {
  if (isWaltrailError(error)) return error;
  const sqlState = sqlStateOf(error);
  if (sqlState === 'WT001') {
    return new WaltrailError('TRAIL_FENCED', 'Another writer moved the checkpoint of this trail.', {
      cause: error,
    });
  }
  if (sqlState !== undefined && !/^(08|57P)/.test(sqlState)) {
    return new WaltrailError('TRAIL_WRITE_FAILED', `The trail refused a batch (${sqlState}).`, {
      cause: error,
    });
  }
  return new WaltrailError('TRAIL_DISCONNECTED', 'The connection to the trail is gone.', { cause: error });
}
