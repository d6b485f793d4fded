import { sqlStateOf } from './sql-state.js';

/** What is quoted of a message: no more than a line of a log, whatever names a source has. */
const MAX_LENGTH = 300;

/**
 * Classes whose messages may hold a value of a row, or a text that a user of the database wrote: data
 * exceptions, broken constraints, RAISE, routines in other languages and foreign data.
 *
 * @see https://www.postgresql.org/docs/current/errcodes-appendix.html
 */
const HOLDS_VALUES = /^(?:22|23|2F|38|39|44|HV|P0)/;
/** The server lacks something, or its system refuses. */
const OF_THE_SYSTEM = /^(?:53|58)/;
/**
 * Files of PostgreSQL that say so where they meet the disk, in whatever statement. RAISE may take any
 * SQLSTATE, and is known by its file.
 */
const AT_THE_DISK: ReadonlySet<unknown> = new Set(['md.c', 'fd.c', 'buffile.c', 'xlog.c', 'slru.c']);

/**
 * Returns the primary message of an error that a server reported, on one line; null where it is not to be
 * shown, because it may hold a row's value. Detail, hint, context and statement are never shown. A message
 * with a context comes from within a function, or from a row of a COPY: anybody may have written it.
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

/** `42501: permission denied for schema x`, or the SQLSTATE alone where {@link serverMessage} is null. */
export function serverSays(error: unknown): string {
  const message = serverMessage(error);
  const sqlState = sqlStateOf(error) ?? 'no SQLSTATE';
  return message === null ? sqlState : `${sqlState}: ${message}`;
}
