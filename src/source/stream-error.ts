import { WaltrailError, type ErrorCode } from '../errors.js';
import { sqlStateOf } from '../pg/sql-state.js';

/** SQLSTATEs and classes that heal by waiting: shutdown, connection trouble, lack of resources. */
const HEALS = /^(57P0[1-5]|08|53)/;

/**
 * What an error of the replication connection means for capture. Branches on SQLSTATE only.
 *
 * @see https://www.postgresql.org/docs/current/errcodes-appendix.html
 */
export function streamError(error: unknown): WaltrailError {
  const sqlState = sqlStateOf(error);
  const { message } = error as { message?: unknown };
  // Data exceptions (a value without an equivalent in UTF-8, a row filter that fails) quote the value.
  const text = sqlState?.startsWith('22') === true ? 'a value could not be sent.' : String(message);
  return new WaltrailError(
    sqlState === undefined ? 'SOURCE_DISCONNECTED' : meaningOf(sqlState),
    `Replication from the source ended (${sqlState ?? 'no SQLSTATE'}): ${text}`,
    {
      cause: error,
    },
  );
}

function meaningOf(sqlState: string): ErrorCode {
  if (HEALS.test(sqlState)) return 'SOURCE_DISCONNECTED';
  switch (sqlState) {
    case '55006': // object_in_use: another walsender has the slot
      return 'SOURCE_SLOT_BUSY';
    case '55000': // object_not_in_prerequisite_state: the slot was invalidated
      return 'SOURCE_SLOT_INVALID';
    case '54000': // program_limit_exceeded: a message would be larger than a gigabyte
      return 'SOURCE_ROW_TOO_LARGE';
    default:
      return 'SOURCE_REPLICATION_FAILED';
  }
}
