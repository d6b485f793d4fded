import { execFile } from 'node:child_process';
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import pg from 'pg';
import { startPostgres } from '../../src/embedded/postgres.js';
import type { TestDatabase } from './database.ts';

/** Folder of the programs, as for the run's server. */
const bin = process.env.WALTRAIL_TEST_POSTGRES_BIN;

type Settings = Readonly<Record<string, string>>;

/** A server that belongs to one test, which may kill it, with one database. */
export interface OwnServer extends AsyncDisposable {
  readonly database: TestDatabase;
  /** Shuts down immediately, as after a power cut, and starts on the same port. */
  crash(): Promise<void>;
  /** Shuts down cleanly, does `meanwhile` with the data directory, and starts on the same port. */
  restart(meanwhile?: (cluster: string) => Promise<void>): Promise<void>;
}

/** Copies a folder with owners and modes, which PostgreSQL requires. */
export const copyFolder = async (from: string, to: string): Promise<void> => {
  await promisify(execFile)('cp', ['-a', from, to]);
};

export async function ownServer(name: string, settings: Settings = {}): Promise<OwnServer> {
  const home = await mkdtemp(path.join(os.tmpdir(), `waltrail-faults-${name}-`));
  // Open to the account that PostgreSQL runs as, because the cluster lies in it and is removed with it.
  await chmod(home, 0o755);
  let server = await startPostgres({ home, bin, settings });
  await server.createDatabase(name);
  const { port, cluster } = server;
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
  const start = async (): Promise<void> => {
    server = await startPostgres({ home, bin, settings });
    if (server.port !== port) throw new Error('the server came back on another port');
  };
  return {
    database: { url, name, query, [Symbol.asyncDispose]: dispose },
    crash: async () => {
      process.kill(server.pid, 'SIGQUIT');
      await server.ended;
      await server.stop();
      await start();
    },
    restart: async (meanwhile) => {
      await server.stop();
      await meanwhile?.(cluster);
      await start();
    },
    [Symbol.asyncDispose]: dispose,
  };
}
