import { codeOf, WaltrailError, type ErrorCode } from '../errors.js';

/** SQLSTATEs and classes that heal by waiting: shutdown, connection trouble, lack of resources. */
const HEALS = /^(57P0[1-5]|08|53)/;

/**
 * What an error of the replication connection means for capture. Branches on SQLSTATE only.
 *
 * @see https://www.postgresql.org/docs/current/errcodes-appendix.html
 */
export function streamError(error: unknown): WaltrailError {
  const sqlState = codeOf(error) ?? '';
  const { message } = error as { message?: unknown };
  return new WaltrailError(
    meaningOf(sqlState),
    `Replication from the source ended (${sqlState || 'no SQLSTATE'}): ${String(message)}`,
    {
      cause: error,
    },
  );
}

function meaningOf(sqlState: string): ErrorCode {
  if (!/^[0-9A-Z]{5}$/.test(sqlState) || HEALS.test(sqlState)) return 'SOURCE_DISCONNECTED';
  switch (sqlState) {
    case '55006': // object_in_use: another walsender has the slot
      return 'SOURCE_SLOT_BUSY';
    case '55000': // object_not_in_prerequisite_state: the slot was invalidated
      return 'SOURCE_SLOT_INVALID';
    default:
      return 'SOURCE_REPLICATION_FAILED';
  }
}
