import { build } from './build.mjs';
import { lendServers } from './lender.mjs';
import { memoryFolder } from './memory-folder.mjs';

/**
 * Prepares ephemeral PostgreSQL servers for the specs that need one. If WALTRAIL_TEST_POSTGRES is the URL of
 * a running server, that one serves all. In each worker test/support/borrow-postgres.mjs asks for a server;
 * test/support/database.ts creates the databases.
 */
export default async function setup() {
  if (!(await build(['daemon', 'page']))) return;
  const run = { memory: await memoryFolder(), temporary: process.env.TMPDIR, lender: undefined };
  globalThis.__WALTRAIL_RUN__ = run;
  // Settings for this process, and for the workers that start later.
  if (run.memory !== undefined) process.env.TMPDIR = run.memory;
  if (process.env.WALTRAIL_TEST_POSTGRES) return;
  const { startPostgres } = await import('../../dist/embedded/postgres.js');
  run.lender = await lendServers(() =>
    startPostgres({
      home: null,
      // Set by installed-postgres.mjs. Without it, the embedded PostgreSQL is used.
      bin: process.env.WALTRAIL_TEST_POSTGRES_BIN,
      settings: { max_replication_slots: '50', max_wal_senders: '50', max_connections: '200' },
    }),
  );
  process.env.WALTRAIL_TEST_LENDER = run.lender.url;
}
