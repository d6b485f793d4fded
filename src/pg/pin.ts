import type pg from 'pg';
import { WaltrailError } from '../errors.js';

/**
 * Nothing but PostgreSQL's own functions, operators and types; temporary tables last, for they are searched
 * first unless named.
 */
export const SEARCH_PATH = 'pg_catalog, pg_temp';

/**
 * Makes names without a schema mean PostgreSQL's own for the rest of the session. Whoever may create objects
 * in a schema of the path can otherwise plant an operator that fits better than the built-in one (`text ||
 * xid`), and whoever runs a statement with it executes the planter's code with rights of their own
 * (CVE-2018-1058).
 *
 * Must be the first statements of a connection: both are utility statements, which resolve no function and no
 * operator, so they are safe under any path. The path is read back because a pooler may run the next
 * statement in another session. Throws PG_UNPINNED.
 *
 * @param options.database `host:port/database`, for the error
 * @param options.path simple names; another path than {@link SEARCH_PATH}; every schema in it must be one
 *   that nobody else creates objects in
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
      `${database} answered with another search_path than the one that was just set.`,
    );
}

/**
 * Settings that a DBA gives a role or a database for the application's statements, and what they are for
 * Waltrail, which reads everything, stores a transaction however long it lasts, and waits for it in idle
 * sessions. Nobody needs a right to set them.
 */
const LIMITS = [
  'lock_timeout = 0',
  'idle_session_timeout = 0',
  'idle_in_transaction_session_timeout = 0',
  'default_transaction_read_only = off',
  'default_transaction_deferrable = off',
  `default_transaction_isolation = 'read committed'`,
];

/** From PostgreSQL 17 on. */
const TRANSACTION_LIMIT = /* sql */ `
  select pg_catalog.set_config(name, '0', false) from pg_catalog.pg_settings where name = 'transaction_timeout'`;

/**
 * Makes the limits of a session Waltrail's own, whatever the role, the database or the URL says. Not in the
 * options of the connection: a pooler refuses what it does not know there, and so does a server that is older
 * than the setting. That of the statement first: a millisecond may be too little for anything else. Only
 * after {@link pinSearchPath}.
 */
export async function pinLimits(
  client: Pick<pg.ClientBase, 'query'>,
  options: { readonly statementTimeoutMs?: number | undefined } = {},
): Promise<void> {
  const wanted = [`statement_timeout = ${options.statementTimeoutMs ?? 0}`, ...LIMITS];
  await client.query(wanted.map((setting) => `set ${setting}`).join('; '));
  await client.query(TRANSACTION_LIMIT);
}
