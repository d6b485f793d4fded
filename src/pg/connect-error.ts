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

/** Which database of Waltrail's a connection leads to. */
export type Side = 'source' | 'trail';

/** A database as errors name it. */
export interface Address {
  readonly url: string;
  readonly side?: Side | undefined;
}

/** `host:port/database` of a URL: what an error or a log line may say of it. */
export function describeUrl(url: string): string {
  try {
    const { hostname, port, pathname } = new URL(url);
    return `${hostname}:${port || '5432'}${pathname}`;
  } catch {
    return 'the given URL';
  }
}

/** `The source, db:5432/crm,` as the beginning of a sentence, or `db:5432/crm` where no side is known. */
export const describeAddress = ({ url, side }: Address): string =>
  side === undefined ? describeUrl(url) : `The ${side} (${describeUrl(url)})`;

/** Translates a failed attempt to connect: what refused it, and what would help. Names no credential. */
export function connectError(address: Address, error: unknown): WaltrailError {
  const { code, says, remedy } = failureOf(address, error);
  return new WaltrailError(code, `${describeAddress(address)} ${says}.`, {
    cause: error,
    ...(remedy === undefined ? {} : { remedy }),
  });
}

/**
 * Translates the error of a statement: the connection is gone, or the server refused. The message of the
 * server is quoted where it can hold no value of a row.
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

/** Whether an error says why there is no connection, as {@link connectError} and pinning (pin.ts) do. */
export const isConnectError = (error: unknown): boolean =>
  isWaltrailError(error) && CONNECT_CODES.has(error.code);

interface Failure {
  readonly code: ErrorCode;
  /** Completes a sentence that begins with the database. */
  readonly says: string;
  /** In place of that of the code. */
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
      says: 'asks for a password that the URL does not have, or does not prove that it knows it',
      remedy: 'Put the password into the URL, with % codes for characters such as @ and /.',
    };
  return { code: 'PG_UNREACHABLE', says: `cannot be reached (${code ?? 'no answer'})` };
}

/** What a server, or whoever answers in its place, says before there is a session. */
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
        'Nothing, if it passes: Waltrail tries again. Else raise max_connections, or the connection limit of the role or the database.',
    };
  if (isServerGone(sqlState) || isConnectionException(sqlState))
    return {
      code: 'PG_UNREACHABLE',
      says: `does not accept connections at the moment (${says})`,
      remedy: 'Nothing, if it passes: Waltrail tries again. Else look into the log of the server.',
    };
  const refused = { code: 'PG_REFUSED', says: `refused the connection (${says})` } as const;
  switch (sqlState) {
    case INVALID_PASSWORD:
      return { ...refused, remedy: 'Correct user and password of the URL.' };
    case INVALID_AUTHORIZATION:
      return {
        ...refused,
        remedy:
          'The message of the server says what it lacks: a line of its pg_hba.conf for this address, user, database and encryption (sslmode in the URL), a client certificate (sslcert and sslkey in the URL), or a role that may log in.',
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
    `Run what the message of the server asks for: grant connect on database ${database} to ${role}; as the owner of the database, ` +
    `or: alter role ${role} replication; as a superuser.`
  );
}

/** The text of pg for a server that declines TLS; it has no code. */
const NO_TLS = 'The server does not support SSL connections';
const NO_TLS_FAILURE: Failure = {
  code: 'PG_TLS',
  says: 'does not encrypt connections, and the URL asks for it',
  remedy: 'Switch TLS on there (ssl = on), or leave sslmode out of the URL where the network is trusted.',
};

/** Codes of Node for TLS and for the certificates that it checks. */
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
      `has a certificate of an issuer whom Waltrail does not know (${code})`,
      'Name the certificate of its issuer in the URL: sslrootcert=/path/to/ca.crt.',
    );
  switch (code) {
    case 'ERR_TLS_CERT_ALTNAME_INVALID':
    case 'HOSTNAME_MISMATCH':
      return tls(
        `has a certificate for another host name than that of the URL (${code})`,
        'Use a host name of the certificate in the URL, or have a certificate issued for this one; with sslmode=verify-ca and uselibpqcompat=true only the issuer is checked.',
      );
    case 'CERT_HAS_EXPIRED':
    case 'CERT_NOT_YET_VALID':
      return tls(
        `has a certificate that is not valid today (${code})`,
        'Renew the certificate of the server, or set the clocks right.',
      );
    default:
      return tls(`and Waltrail could not agree on TLS (${code})`);
  }
}
