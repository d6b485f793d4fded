import type pg from 'pg';
import { WaltrailError } from '../errors.js';
import { close } from './connect.js';

/**
 * Tells whether a connection leads through a pooler: the number of the server process that was announced when
 * it was made is then not that of the process which answers.
 */
export async function isPooled(client: pg.ClientBase): Promise<boolean> {
  const { processID } = client as unknown as { readonly processID: number | null };
  return processID !== null && processID !== (await backendOf(client));
}

/**
 * Refuses a pooler that hands the session of one client to another between transactions: the role, the
 * search_path and the lock by which a daemon is elected belong to the session. It shows only where a second
 * client is at work, which therefore begins a transaction. Asks nothing where there is no pooler. Throws
 * PG_UNPINNED.
 *
 * @param options.client in no transaction
 * @param options.open connects once more, with the same URL
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
    // With one session for both, asking the first client again would wait for the other's transaction.
    if ((await backendOf(other)) !== own && (await backendOf(client)) === own) return;
  } finally {
    await close(other);
  }
  throw new WaltrailError(
    'PG_UNPINNED',
    `${database} is behind a connection pooler that lends one session to several clients.`,
  );
}

async function backendOf(client: pg.ClientBase): Promise<number> {
  const { rows } = await client.query<{ pid: number }>(/* sql */ `select pg_catalog.pg_backend_pid() as pid`);
  return rows[0]!.pid;
}
