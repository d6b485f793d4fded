import type { Socket } from 'node:net';
import type pg from 'pg';

/**
 * Settings that change how PostgreSQL prints values, or what it tells us. A database or role may set them, and then the stream would carry
 * `0.3` for 0.30000000000000004 or German dates; pinned on our connection, values are printed in one way for ever.
 */
const PRINTING = [
  'datestyle=ISO',
  'intervalstyle=postgres',
  'extra_float_digits=3',
  'timezone=UTC',
  'bytea_output=hex',
  'lc_monetary=C',
  'statement_timeout=0',
  'idle_session_timeout=0',
  // From PostgreSQL 18 on a publication that is gone is only warned of.
  'client_min_messages=warning',
];

/**
 * A database without an encoding (SQL_ASCII) may hold bytes that are not UTF-8, and would refuse to send them as such; it
 * sends them as they are when it is asked for no encoding.
 */
export const TAKE_BYTES_AS_THEY_ARE = /* sql */ `
  select pg_catalog.set_config('client_encoding', 'SQL_ASCII', false)
   where pg_catalog.current_setting('server_encoding') = 'SQL_ASCII'`;

/**
 * Client configuration of a replication connection (`replication=database`) to the source.
 *
 * @param options.socket makes the socket; `own` is false where the URL asks for TLS, which reads from it by itself
 */
export function replicationClientConfig(
  url: string,
  options: { readonly socket?: (own: boolean) => Socket } = {},
): pg.ClientConfig & { replication: 'database' } {
  const { socket } = options;
  return {
    ...(socket === undefined ? {} : { stream: () => socket(!asksForTls(url)) }),
    connectionString: url,
    replication: 'database',
    application_name: 'waltrail capture',
    client_encoding: 'UTF8',
    connectionTimeoutMillis: 10_000,
    keepAlive: true,
    options: PRINTING.map((setting) => `-c ${setting}`).join(' '),
  };
}

function asksForTls(url: string): boolean {
  const parameters = new URL(url).searchParams;
  return (parameters.get('sslmode') ?? 'disable') !== 'disable' || parameters.has('ssl');
}
