import type { Socket } from 'node:net';
import type pg from 'pg';
import { SEARCH_PATH } from '../pg/pin.js';

/**
 * Settings that change how PostgreSQL prints values, or which notices it sends. A database or role may set
 * them, and the stream would then carry `0.3` for 0.30000000000000004, or German dates. They are pinned for
 * the replication connection, so that values are always printed in the same way.
 */
const PRINTING = [
  'datestyle=ISO',
  'intervalstyle=postgres',
  'extra_float_digits=3',
  'timezone=UTC',
  'bytea_output=hex',
  'lc_monetary=C',
  // regclass, regtype and similar values are printed with their schema, except for PostgreSQL's own, and are
  // quoted only where necessary.
  `search_path=${SEARCH_PATH.replaceAll(' ', '')}`,
  'quote_all_identifiers=off',
  // From PostgreSQL 18 on, a missing publication causes only a warning.
  'client_min_messages=warning',
];

/**
 * Statements with which another session prints values as the stream does. Only where search_path is pinned.
 */
export const PRINT_AS_STREAM = PRINTING.map((setting) => setting.split('='))
  .filter(([name]) => name !== 'search_path')
  .map(([name, value]) => `set ${name} = '${value}'`)
  .join('; ');

/**
 * Makes the server send its bytes unchanged, whatever its encoding. Otherwise it would refuse to send what it
 * cannot convert, also after each restart (pg/encoding.ts). The server reads later statements in its own
 * encoding, so they must be ASCII.
 */
export const SEND_BYTES = /* sql */ `set client_encoding = 'SQL_ASCII'`;

/**
 * Returns the client configuration of a replication connection (`replication=database`) to the source. The
 * `options` of the URL are kept and come first. If a setting has two values, PostgreSQL takes the last one.
 *
 * @param options.socket creates the socket. `own` is false if the URL asks for TLS, which reads from the
 *   socket itself.
 */
export function replicationClientConfig(
  url: string,
  options: { readonly socket?: (own: boolean) => Socket } = {},
): pg.ClientConfig & { replication: 'database' } {
  const { socket } = options;
  const { connectionString, given } = withoutOptions(url);
  return {
    ...(socket === undefined ? {} : { stream: () => socket(!asksForTls(url)) }),
    connectionString,
    replication: 'database',
    application_name: 'waltrail capture',
    client_encoding: 'UTF8',
    connectionTimeoutMillis: 10_000,
    keepAlive: true,
    options: [...given, ...PRINTING.map((setting) => `-c ${setting}`)].join(' '),
  };
}

/**
 * Removes `options` from the URL, because pg prefers them to the option of the same name in its
 * configuration.
 */
function withoutOptions(url: string): {
  readonly connectionString: string;
  readonly given: readonly string[];
} {
  const parsed = new URL(url);
  const given = parsed.searchParams.getAll('options');
  if (given.length === 0) return { connectionString: url, given };
  parsed.searchParams.delete('options');
  return { connectionString: parsed.href, given };
}

function asksForTls(url: string): boolean {
  const parameters = new URL(url).searchParams;
  return (parameters.get('sslmode') ?? 'disable') !== 'disable' || parameters.has('ssl');
}
