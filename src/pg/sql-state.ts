import { codeOf } from '../errors.js';

/**
 * The SQLSTATE of an error that a server reported; undefined for any other error. Error numbers of the system may look
 * like one (`EPIPE`), but no class of SQLSTATEs begins with an E.
 *
 * @see https://www.postgresql.org/docs/current/errcodes-appendix.html
 */
export function sqlStateOf(error: unknown): string | undefined {
  const code = codeOf(error);
  return code !== undefined && /^(?!E)[0-9A-Z]{5}$/.test(code) ? code : undefined;
}
