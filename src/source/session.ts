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
  // regclass, regtype and their kin are printed with their schema, quoted only where they must be.
  'search_path=',
  'quote_all_identifiers=off',
  'statement_timeout=0',
  'idle_session_timeout=0',
  // From PostgreSQL 18 on a publication that is gone is only warned of.
  'client_min_messages=warning',
];

/**
 * First statements of a connection that reads rows of the source.
 *
 * Limits that a DBA has set for the application's statements are not meant for a reader of everything: PostgreSQL would end the
 * walsender in the middle of every transaction that takes longer to decode than `transaction_timeout`. Not all of them are
 * known to every version, so they cannot be in the options.
 */
export const PREPARE_READING = /* sql */ `
  select pg_catalog.set_config(name, '0', false)
    from pg_catalog.pg_settings
   where name in ('statement_timeout', 'lock_timeout', 'idle_in_transaction_session_timeout', 'transaction_timeout')`;

/**
 * Makes the server send the bytes that it has, whatever its encoding: what it cannot convert it would refuse to send, again and
 * again (source/encoding.ts). Statements that follow are taken to be in the server's encoding, so they have to be ASCII.
 */
export const SEND_BYTES = /* sql */ `set client_encoding = 'SQL_ASCII'`;

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
