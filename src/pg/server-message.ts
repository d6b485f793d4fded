import { sqlStateOf } from './sql-state.js';

/** Most characters of a message that are quoted, so that a log line stays short even with long names. */
const MAX_LENGTH = 300;

/**
 * Classes of errors whose messages may contain a row value or a text that a user of the database wrote: data
 * exceptions, violated constraints, RAISE, routines in other languages, and foreign data.
 *
 * @see https://www.postgresql.org/docs/current/errcodes-appendix.html
 */
const HOLDS_VALUES = /^(?:22|23|2F|38|39|44|HV|P0)/;
/** Classes of errors about resources or the operating system of the server. */
const OF_THE_SYSTEM = /^(?:53|58)/;
/**
 * PostgreSQL source files that report such errors when they access the disk, in any statement. RAISE can use
 * any SQLSTATE, but its errors name another file.
 */
const AT_THE_DISK: ReadonlySet<unknown> = new Set(['md.c', 'fd.c', 'buffile.c', 'xlog.c', 'slru.c']);

/**
 * Returns the primary message of an error that a server reported, on one line. Returns null if the message
 * may contain a row value. Detail, hint, context and statement are never shown. A message with a context
 * comes from a function or from a row of a COPY, so any user may have written it.
 */
export function serverMessage(error: unknown): string | null {
  const sqlState = sqlStateOf(error);
  if (sqlState === undefined || HOLDS_VALUES.test(sqlState)) return null;
  const { message, where, file } = error as Readonly<Partial<Record<string, unknown>>>;
  if (typeof message !== 'string' || message === '') return null;
  const fromDisk = OF_THE_SYSTEM.test(sqlState) && AT_THE_DISK.has(file);
  if (typeof where === 'string' && where !== '' && !fromDisk) return null;
  const line = message.replaceAll(/[\p{Cc}\s]+/gu, ' ').trim();
  return line.length > MAX_LENGTH ? `${line.slice(0, MAX_LENGTH)}…` : line;
}

/**
 * Returns `42501: permission denied for schema x`, or only the SQLSTATE if {@link serverMessage} returns
 * null.
 */
export function serverSays(error: unknown): string {
  const message = serverMessage(error);
  const sqlState = sqlStateOf(error) ?? 'no SQLSTATE';
  return message === null ? sqlState : `${sqlState}: ${message}`;
}
