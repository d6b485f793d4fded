import { codeOf } from '../errors.js';

/**
 * The SQLSTATEs that the code branches on, by their names in PostgreSQL's documentation.
 *
 * @see https://www.postgresql.org/docs/current/errcodes-appendix.html
 */
export const PROTOCOL_VIOLATION = '08P01';
export const CHARACTER_NOT_IN_REPERTOIRE = '22021';
export const INVALID_PARAMETER_VALUE = '22023';
export const UNTRANSLATABLE_CHARACTER = '22P05';
export const READ_ONLY_SQL_TRANSACTION = '25006';
export const INVALID_AUTHORIZATION = '28000';
export const INVALID_PASSWORD = '28P01';
export const INVALID_CATALOG_NAME = '3D000';
export const DEADLOCK_DETECTED = '40P01';
export const INSUFFICIENT_PRIVILEGE = '42501';
export const UNDEFINED_OBJECT = '42704';
export const DISK_FULL = '53100';
export const TOO_MANY_CONNECTIONS = '53300';
export const PROGRAM_LIMIT_EXCEEDED = '54000';
export const OBJECT_NOT_IN_PREREQUISITE_STATE = '55000';
export const OBJECT_IN_USE = '55006';
export const LOCK_NOT_AVAILABLE = '55P03';
export const QUERY_CANCELED = '57014';
export const INTERNAL_ERROR = 'XX000';

/**
 * Returns the SQLSTATE of an error that a server reported, and undefined for any other error. Error codes of
 * the operating system may look like one (`EPIPE`), but no SQLSTATE class begins with an E.
 */
export function sqlStateOf(error: unknown): string | undefined {
  const code = codeOf(error);
  return code !== undefined && /^(?!E)[0-9A-Z]{5}$/.test(code) ? code : undefined;
}

/** Class 22, data exception: the message may quote the value. */
export const isDataException = (sqlState: string): boolean => sqlState.startsWith('22');

/**
 * Class 08, connection exception, and the codes 57P01 to 57P05: the server shuts down, starts or ends the
 * session.
 */
export const isServerGone = (sqlState: string): boolean => /^(08|57P)/.test(sqlState);

/** Class 08, connection exception: the connection was refused or is broken. */
export const isConnectionException = (sqlState: string): boolean => sqlState.startsWith('08');

/** Class 53, insufficient resources: no connection, memory or disk space is left for the moment. */
export const isOutOfResources = (sqlState: string): boolean => sqlState.startsWith('53');
