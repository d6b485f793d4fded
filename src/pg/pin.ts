import type pg from 'pg';
import { WaltrailError } from '../errors.js';

/**
 * A search_path with only PostgreSQL's own functions, operators and types. pg_temp is named last, because
 * otherwise PostgreSQL searches it first.
 */
export const SEARCH_PATH = 'pg_catalog, pg_temp';

/**
 * Makes names without a schema mean PostgreSQL's own objects for the rest of the session. Otherwise, a user
 * who may create objects in a schema of the path could create an operator that fits better than the built-in
 * one (`text || xid`). A statement that uses it would run that user's code with the rights of Waltrail
 * (CVE-2018-1058).
 *
 * These must be the first statements of a connection. Both are utility statements, which resolve no function
 * and no operator, so they are safe under any path. The path is read back because a pooler may run the next
 * statement in another session. Throws PG_UNPINNED.
 *
 * @param options.database `host:port/database`, for the error
 * @param options.path replaces {@link SEARCH_PATH}. It consists of simple names. Only trusted roles may have
 *   the right to create objects in its schemas.
 * @see https://wiki.postgresql.org/wiki/A_Guide_to_CVE-2018-1058:_Protect_Your_Search_Path
 */
export async function pinSearchPath(
  client: Pick<pg.ClientBase, 'query'>,
  options: { readonly database: string; readonly path?: string },
): Promise<void> {
  const { database, path = SEARCH_PATH } = options;
  await client.query(`set search_path = ${path}`);
  const { rows } = await client.query<{ search_path: string }>('show search_path');
  // A database with quote_all_identifiers shows every name of the list in quotes.
  const quoted = path.replaceAll(/[^, ]+/g, '"$&"');
  if (![path, quoted].includes(rows[0]?.search_path ?? ''))
    throw new WaltrailError(
      'PG_UNPINNED',
      `${database} reported a different search_path than the one that was just set.`,
    );
}

/**
 * Settings that a DBA may set for a role or a database to limit the application, with the values that
 * Waltrail needs. Waltrail reads everything, stores transactions of any length, and waits in idle sessions.
 * Any role may set them.
 */
const LIMITS = [
  'lock_timeout = 0',
  'idle_session_timeout = 0',
  'idle_in_transaction_session_timeout = 0',
  'default_transaction_read_only = off',
  'default_transaction_deferrable = off',
  `default_transaction_isolation = 'read committed'`,
];

/** The setting exists from PostgreSQL 17 on. */
const TRANSACTION_LIMIT = /* sql */ `
  select pg_catalog.set_config(name, '0', false) from pg_catalog.pg_settings where name = 'transaction_timeout'`;

/**
 * Sets the limits of a session to Waltrail's own values, whatever the role, the database or the URL sets.
 * Call it after {@link pinSearchPath}.
 *
 * The limits are not in the options of the connection, because a pooler or an older server refuses unknown
 * settings there. The time limit of statements is set first: the present one may be too short for any other
 * statement.
 */
export async function pinLimits(
  client: Pick<pg.ClientBase, 'query'>,
  options: { readonly statementTimeoutMs?: number | undefined } = {},
): Promise<void> {
  const wanted = [`statement_timeout = ${options.statementTimeoutMs ?? 0}`, ...LIMITS];
  await client.query(wanted.map((setting) => `set ${setting}`).join('; '));
  await client.query(TRANSACTION_LIMIT);
}
