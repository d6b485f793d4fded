import { codeOf, isWaltrailError, WaltrailError, type ErrorCode } from '../errors.js';
import { quoteIdentifier } from './quote.js';
import { serverSays } from './server-message.js';
import {
  INSUFFICIENT_PRIVILEGE,
  INVALID_AUTHORIZATION,
  INVALID_CATALOG_NAME,
  INVALID_PASSWORD,
  isConnectionException,
  isOutOfResources,
  isServerGone,
  PROTOCOL_VIOLATION,
  sqlStateOf,
} from './sql-state.js';
import { urlProblem } from './url.js';

/** Which of Waltrail's two databases a connection leads to. */
export type Side = 'source' | 'trail';

/** A database as errors name it. */
export interface Address {
  readonly url: string;
  readonly side?: Side | undefined;
}

/** Returns `host:port/database` of a URL: the part that errors and log lines may show. */
export function describeUrl(url: string): string {
  if (urlProblem(url) !== undefined) return 'the given URL';
  const { hostname, port, pathname } = new URL(url);
  return `${hostname}:${port || '5432'}${pathname}`;
}

/**
 * Returns the beginning of a sentence: `The source (db:5432/crm)`, or `db:5432/crm` if the side is unknown.
 */
export const describeAddress = ({ url, side }: Address): string =>
  side === undefined ? describeUrl(url) : `The ${side} (${describeUrl(url)})`;

/**
 * Translates a failed attempt to connect into an error that says what refused it and what to do. The error
 * names no credential.
 */
export function connectError(address: Address, error: unknown): WaltrailError {
  const { code, says, remedy } = failureOf(address, error);
  return new WaltrailError(code, `${describeAddress(address)} ${says}.`, {
    cause: error,
    ...(remedy === undefined ? {} : { remedy }),
  });
}

/**
 * Translates the error of a statement: either the connection was lost, or the server refused the statement.
 * The message of the server is quoted only if it cannot contain a row value.
 */
export function queryError(address: Address, error: unknown): WaltrailError {
  const sqlState = sqlStateOf(error);
  if (sqlState === undefined || isServerGone(sqlState) || isOutOfResources(sqlState))
    return connectError(address, error);
  return new WaltrailError(
    'PG_QUERY_REFUSED',
    `${describeAddress(address)} refused a statement (${serverSays(error)}).`,
    { cause: error },
  );
}

const CONNECT_CODES: ReadonlySet<string> = new Set<ErrorCode>([
  'PG_POOLER',
  'PG_REFUSED',
  'PG_TLS',
  'PG_UNPINNED',
  'PG_UNREACHABLE',
]);

/**
 * Whether an error explains a missing connection. {@link connectError} and pinning (pin.ts) throw such
 * errors.
 */
export const isConnectError = (error: unknown): boolean =>
  isWaltrailError(error) && CONNECT_CODES.has(error.code);

interface Failure {
  readonly code: ErrorCode;
  /** The rest of a sentence that begins with the name of the database. */
  readonly says: string;
  /** Replaces the remedy of the code. */
  readonly remedy?: string;
}

function failureOf(address: Address, error: unknown): Failure {
  const sqlState = sqlStateOf(error);
  if (sqlState !== undefined) return refusal(address, { sqlState, says: serverSays(error) });
  const code = codeOf(error);
  const { message, syscall } = error as { readonly message?: unknown; readonly syscall?: unknown };
  if (syscall === 'open') return tls(`names a certificate or key that cannot be read (${code ?? 'no code'})`);
  if (message === NO_TLS) return NO_TLS_FAILURE;
  if (code !== undefined && TLS_CODE.test(code)) return tlsFailure(code);
  if (typeof message === 'string' && message.startsWith('SASL'))
    return {
      code: 'PG_REFUSED',
      says: 'asks for a password that the URL does not have, or failed to prove that it knows the password',
      remedy: 'Put the password into the URL, with % codes for characters such as @ and /.',
    };
  return { code: 'PG_UNREACHABLE', says: `cannot be reached (${code ?? 'no answer'})` };
}

/** Translates a refusal by a server, or by a pooler in front of it, before a session exists. */
function refusal(
  { url }: Address,
  { sqlState, says }: { readonly sqlState: string; readonly says: string },
): Failure {
  if (sqlState === PROTOCOL_VIOLATION)
    return { code: 'PG_POOLER', says: `is answered by a connection pooler, which refused (${says})` };
  if (isOutOfResources(sqlState))
    return {
      code: 'PG_UNREACHABLE',
      says: `has no room for another connection (${says})`,
      remedy:
        'Wait: Waltrail tries again. If the error persists, raise the limit that the message of the server names: max_connections, max_wal_senders, or the connection limit of the role or the database.',
    };
  if (isServerGone(sqlState) || isConnectionException(sqlState))
    return {
      code: 'PG_UNREACHABLE',
      says: `does not accept connections at the moment (${says})`,
      remedy: 'Wait: Waltrail tries again. If the error persists, read the log of the server.',
    };
  const refused = { code: 'PG_REFUSED', says: `refused the connection (${says})` } as const;
  switch (sqlState) {
    case INVALID_PASSWORD:
      return { ...refused, remedy: 'Correct user and password of the URL.' };
    case INVALID_AUTHORIZATION:
      return {
        ...refused,
        remedy:
          'The message of the server names what is missing: a line in its pg_hba.conf for this address, user, database and encryption (sslmode in the URL), a client certificate (sslcert and sslkey in the URL), or a role that may log in.',
      };
    case INVALID_CATALOG_NAME:
      return { ...refused, remedy: 'Create the database, or correct its name in the URL.' };
    case INSUFFICIENT_PRIVILEGE:
      return { ...refused, remedy: grantRemedy(url) };
    default:
      return refused;
  }
}

function grantRemedy(url: string): string {
  const { username, pathname } = new URL(url);
  const role = quoteIdentifier(decodeURIComponent(username));
  const database = quoteIdentifier(decodeURIComponent(pathname.slice(1)));
  return (
    `Run the statement that the message of the server asks for. As the owner of the database: grant connect on database ${database} to ${role}; ` +
    `As a superuser: alter role ${role} replication;`
  );
}

/** The message of the error that pg throws if a server declines TLS. That error has no code. */
const NO_TLS = 'The server does not support SSL connections';
const NO_TLS_FAILURE: Failure = {
  code: 'PG_TLS',
  says: 'does not encrypt connections, but the URL requires encryption',
  remedy: 'Enable TLS on the server (ssl = on), or remove sslmode from the URL if the network is trusted.',
};

/** Node's error codes for TLS and for certificate checks. */
const TLS_CODE =
  /^(?:ERR_SSL_|ERR_TLS_|ERR_OSSL_|CERT_|CRL_|UNABLE_TO_|SELF_SIGNED_|DEPTH_ZERO_|INVALID_CA$|INVALID_PURPOSE$|PATH_LENGTH_|HOSTNAME_MISMATCH$|EPROTO$)/;
const UNKNOWN_ISSUER = /^(?:UNABLE_TO_|SELF_SIGNED_|DEPTH_ZERO_|CERT_UNTRUSTED$|INVALID_CA$)/;

const tls = (says: string, remedy?: string): Failure => ({
  code: 'PG_TLS',
  says,
  ...(remedy === undefined ? {} : { remedy }),
});

function tlsFailure(code: string): Failure {
  if (UNKNOWN_ISSUER.test(code))
    return tls(
      `has a certificate from an issuer that Waltrail does not know (${code})`,
      'Name the certificate of the issuer in the URL: sslrootcert=/path/to/ca.crt.',
    );
  switch (code) {
    case 'ERR_TLS_CERT_ALTNAME_INVALID':
    case 'HOSTNAME_MISMATCH':
      return tls(
        `has a certificate for a different host name than the one in the URL (${code})`,
        'Use a host name of the certificate in the URL, or have a certificate issued for the host name in the URL. With sslmode=verify-ca and uselibpqcompat=true, only the issuer is checked.',
      );
    case 'CERT_HAS_EXPIRED':
    case 'CERT_NOT_YET_VALID':
      return tls(
        `has a certificate that is not valid today (${code})`,
        'Renew the certificate of the server, or correct the clocks.',
      );
    default:
      return tls(`and Waltrail could not establish TLS (${code})`);
  }
}
