import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import pg from 'pg';
import { startPostgres, type EmbeddedPostgres } from '../../src/embedded/postgres.js';
import type { TestDatabase } from './database.ts';

/** A server of the test's own, which it may kill, with one database. */
export interface OwnServer extends AsyncDisposable {
  readonly database: TestDatabase;
  /** An immediate shutdown, as after a power cut, and a start on the same port. */
  crash(): Promise<void>;
}

export async function ownServer(name: string): Promise<OwnServer> {
  const home = await mkdtemp(path.join(os.tmpdir(), `waltrail-crash-${name}-`));
  let server: EmbeddedPostgres = await startPostgres({ home });
  await server.createDatabase(name);
  const { port } = server;
  const url = server.url(name);
  const query = async <T>(sql: string, parameters: readonly unknown[] = []): Promise<T[]> => {
    const client = new pg.Client(url);
    client.on('error', () => undefined);
    await client.connect();
    try {
      return (await client.query(sql, [...parameters])).rows as T[];
    } finally {
      await client.end();
    }
  };
  const dispose = async (): Promise<void> => {
    await server.stop();
    await rm(home, { recursive: true, force: true });
  };
  return {
    database: { url, name, query, [Symbol.asyncDispose]: dispose },
    crash: async () => {
      process.kill(server.pid, 'SIGQUIT');
      await server.ended;
      await server.stop();
      server = await startPostgres({ home });
      if (server.port !== port) throw new Error('the server came back on another port');
    },
    [Symbol.asyncDispose]: dispose,
  };
}
