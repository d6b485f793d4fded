import { WaltrailError, type ErrorCode } from '../errors.js';
import {
  isDataException,
  isOutOfResources,
  isServerGone,
  OBJECT_IN_USE,
  OBJECT_NOT_IN_PREREQUISITE_STATE,
  PROGRAM_LIMIT_EXCEEDED,
  sqlStateOf,
} from '../pg/sql-state.js';

/** Translates an error of the replication connection. Branches on the SQLSTATE only. */
export function streamError(error: unknown): WaltrailError {
  const sqlState = sqlStateOf(error);
  const { message } = error as { message?: unknown };
  // The message quotes a value: one without an equivalent in UTF-8, or one for which a row filter fails.
  const text =
    sqlState !== undefined && isDataException(sqlState) ? 'a value could not be sent.' : String(message);
  return new WaltrailError(
    sqlState === undefined ? 'SOURCE_DISCONNECTED' : meaningOf(sqlState),
    `Replication from the source ended (${sqlState ?? 'no SQLSTATE'}): ${text}`,
    {
      cause: error,
    },
  );
}

function meaningOf(sqlState: string): ErrorCode {
  // These errors pass without intervention.
  if (isServerGone(sqlState) || isOutOfResources(sqlState)) return 'SOURCE_DISCONNECTED';
  switch (sqlState) {
    case OBJECT_IN_USE: // another walsender has the slot
      return 'SOURCE_SLOT_BUSY';
    case OBJECT_NOT_IN_PREREQUISITE_STATE: // the slot was invalidated
      return 'SOURCE_SLOT_INVALID';
    case PROGRAM_LIMIT_EXCEEDED: // a message would be larger than a gigabyte
      return 'SOURCE_ROW_TOO_LARGE';
    default:
      return 'SOURCE_REPLICATION_FAILED';
  }
}
