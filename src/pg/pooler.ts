import type pg from 'pg';
import { WaltrailError } from '../errors.js';
import { close } from './connect.js';

/**
 * Tells whether a connection leads through a pooler. The process id that was announced at connection then
 * differs from the id of the server process that answers.
 */
export async function isPooled(client: pg.ClientBase): Promise<boolean> {
  const { processID } = client as unknown as { readonly processID: number | null };
  return processID !== null && processID !== (await backendOf(client));
}

/**
 * Refuses a pooler that shares one session among several clients. The role, the search_path and the advisory
 * lock that elects a daemon belong to the session. Sharing shows only while a second client is busy, so a
 * second client opens a transaction. Without a pooler, no second connection is opened. Throws PG_UNPINNED.
 *
 * @param options.client not in a transaction
 * @param options.open opens a second connection with the same URL
 * @param options.database for the error
 */
export async function refuseSharedSessions(options: {
  readonly client: pg.ClientBase;
  readonly open: () => Promise<pg.Client>;
  readonly database: string;
}): Promise<void> {
  const { client, open, database } = options;
  if (!(await isPooled(client))) return;
  const own = await backendOf(client);
  const other = await open();
  try {
    await other.query('begin');
    // If both clients shared one session, this query of the first client would wait for the other's
    // transaction.
    if ((await backendOf(other)) !== own && (await backendOf(client)) === own) return;
  } finally {
    await close(other);
  }
  throw new WaltrailError(
    'PG_UNPINNED',
    `${database} is behind a connection pooler that shares one session among several clients.`,
  );
}

async function backendOf(client: pg.ClientBase): Promise<number> {
  const { rows } = await client.query<{ pid: number }>(/* sql */ `select pg_catalog.pg_backend_pid() as pid`);
  return rows[0]!.pid;
}
