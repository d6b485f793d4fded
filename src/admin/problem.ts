import { randomUUID } from 'node:crypto';
import type { Answer } from '../api/answers.js';
import { ERROR_CODES, isWaltrailError, WaltrailError, type ErrorCode } from '../errors.js';
import { isConnectError } from '../pg/connect-error.js';
import {
  CHARACTER_NOT_IN_REPERTOIRE,
  INSUFFICIENT_PRIVILEGE,
  isOutOfResources,
  isServerGone,
  QUERY_CANCELED,
  READ_ONLY_SQL_TRANSACTION,
  UNTRANSLATABLE_CHARACTER,
} from '../pg/sql-state.js';

export const PROBLEM_TYPE = 'application/problem+json; charset=utf-8';

/** A problem document as an answer, with the media type `application/problem+json`. */
export type Problem = Answer<'Problem'> & { readonly status: number };

/** Error codes, by HTTP status, for requests that Fastify or Nest refuses. */
const BY_STATUS: Readonly<Record<number, ErrorCode>> = {
  404: 'HTTP_NOT_FOUND',
  413: 'HTTP_BODY_TOO_LARGE',
  415: 'HTTP_MEDIA_TYPE',
  429: 'HTTP_TOO_MANY_REQUESTS',
};

/** Error codes of Node for a trail that cannot be reached at the moment. */
const UNREACHABLE = /^E(CONN|PIPE|TIMEDOUT|HOSTUNREACH|NETUNREACH|AI_AGAIN)/;

/** SQLSTATEs that only a value of the request can cause here. */
const UNSTORABLE: readonly string[] = [CHARACTER_NOT_IN_REPERTOIRE, UNTRANSLATABLE_CHARACTER];

/**
 * Converts anything that was thrown to a problem document. An error that is not known to be harmless becomes
 * a 500 that does not state its cause.
 */
export function toProblem(error: unknown): Problem {
  const ofRequest =
    isWaltrailError(error) &&
    !isConnectError(error) &&
    (error.status !== undefined || error.retry !== 'backoff');
  if (ofRequest) {
    return error.status === undefined ? internal() : problem(error.status, error);
  }
  if (isUnavailable(error)) {
    return problem(503, new WaltrailError('HTTP_UNAVAILABLE', whyUnavailable(error), { cause: error }));
  }
  if (UNSTORABLE.includes(codeOf(error))) {
    return problem(
      400,
      new WaltrailError(
        'HTTP_REQUEST_INVALID',
        'A text in the request has a character that PostgreSQL cannot store.',
      ),
    );
  }
  const status = statusOf(error);
  if (status === undefined || status >= 500 || status < 400) return internal();
  const code = BY_STATUS[status] ?? 'HTTP_REQUEST_INVALID';
  return problem(status, new WaltrailError(code, describe(status, error)));
}

function problem(status: number, error: WaltrailError): Problem {
  return {
    type: `urn:waltrail:error:${error.code}`,
    title: titleOf(error.code),
    status,
    detail: error.message,
    code: error.code,
    remedy: error.remedy,
    ...error.details,
  };
}

/** Titles for codes that do not read well as titles. */
const TITLES: Readonly<Partial<Record<ErrorCode, string>>> = {
  EXPORT_KEY_REUSED: 'Idempotency-Key already used',
  HTTP_BODY_INVALID: 'Invalid body',
  HTTP_CROSS_SITE: 'Request from another site',
  HTTP_FORBIDDEN: 'Not allowed',
  HTTP_INTERNAL: 'Internal error',
  HTTP_MEDIA_TYPE: 'Unsupported media type',
  HTTP_QUERY_INVALID: 'Invalid query parameter',
  HTTP_RANGE_UNSATISFIABLE: 'Bytes not in the file',
  HTTP_REQUEST_INVALID: 'Invalid request',
  HTTP_SIGN_IN_REFUSED: 'Sign-in refused',
  HTTP_TOKEN_BUSY: 'Too many requests at the same time',
  HTTP_TOKEN_INVALID: 'Invalid token',
  HTTP_TOKEN_MISSING: 'No token',
  HTTP_UNAVAILABLE: 'Temporarily unavailable',
  RANGE_INVALID: 'Invalid range',
  TRAIL_CURSOR_INVALID: 'Invalid cursor',
};

/**
 * Derives a title from a code: `Range too long` for RANGE_TOO_LONG. This works for codes that `TITLES` lacks.
 */
function titleOf(code: ErrorCode): string {
  const title = TITLES[code];
  if (title !== undefined) return title;
  const words = code
    .replace(/^HTTP_/, '')
    .toLowerCase()
    .replaceAll('_', ' ');
  return words.charAt(0).toUpperCase() + words.slice(1);
}

function internal(): Problem {
  const error = new WaltrailError('HTTP_INTERNAL', 'The request failed inside Waltrail.');
  return { ...problem(ERROR_CODES.HTTP_INTERNAL.status, error), instance: `urn:uuid:${randomUUID()}` };
}

/** Says neither where the trail is nor what its error is. The log does (problem.filter.ts). */
function whyUnavailable(error: unknown): string {
  if (isConnectError(error) && codeOf(error) !== 'PG_UNREACHABLE')
    return 'The trail database refused the connection of Waltrail.';
  return codeOf(error) === INSUFFICIENT_PRIVILEGE
    ? 'The trail database refused a statement, because Waltrail lacks a right in it.'
    : 'The trail database did not answer in time.';
}

function isUnavailable(error: unknown): boolean {
  if (isWaltrailError(error)) return isConnectError(error) || error.retry === 'backoff';
  if (!(error instanceof Error)) return false;
  // pg reports a lost connection and an exhausted pool without a code.
  if (/^(Connection terminated|timeout exceeded when trying to connect)/.test(error.message)) return true;
  // FATAL and PANIC end the connection, with any code: the server is shutting down or refuses connections.
  const { severity } = error as { severity?: unknown };
  if (severity === 'FATAL' || severity === 'PANIC') return true;
  const code = codeOf(error);
  return (
    isServerGone(code) ||
    isOutOfResources(code) ||
    code === INSUFFICIENT_PRIVILEGE ||
    code === QUERY_CANCELED ||
    code === READ_ONLY_SQL_TRANSACTION ||
    UNREACHABLE.test(code)
  );
}

/**
 * Returns the HTTP status of an error. Fastify's errors and those of http-errors have `statusCode`, Nest's
 * exceptions have `getStatus()`.
 */
function statusOf(error: unknown): number | undefined {
  if (typeof error !== 'object' || error === null) return undefined;
  const { statusCode, getStatus } = error as { statusCode?: unknown; getStatus?: unknown };
  if (typeof statusCode === 'number') return statusCode;
  return typeof getStatus === 'function' ? Number(getStatus.call(error)) : undefined;
}

/** Describes an error in Waltrail's own words. A parser's message may repeat a part of the body. */
function describe(status: number, error: unknown): string {
  switch (status) {
    case 404:
      return 'There is nothing at this path.';
    case 413:
      return 'The body is too large.';
    case 415:
      return 'The body has a media type that this route does not take.';
    case 429:
      return 'Too many requests.';
    default:
      return error instanceof SyntaxError || /JSON/.test(`${codeOf(error)} ${(error as Error).message}`)
        ? 'The body is not valid JSON.'
        : 'The request cannot be understood.';
  }
}

/** Returns the SQLSTATE, or the error code of Node or Fastify. Empty if there is none. */
function codeOf(error: unknown): string {
  const code = (error as { code?: unknown } | null | undefined)?.code;
  return typeof code === 'string' ? code : '';
}
