import { build } from './build.mjs';
import { lendServers } from './lender.mjs';
import { memoryFolder } from './memory-folder.mjs';

/**
 * Has ephemeral PostgreSQL servers ready for the specs that need one, unless WALTRAIL_TEST_POSTGRES is the
 * URL of a running one, which then serves all. test/support/borrow-postgres.mjs asks for them, in each
 * worker; test/support/database.ts makes the databases of tests.
 */
export default async function setup() {
  if (!(await build(['daemon', 'page']))) return;
  const run = { memory: await memoryFolder(), temporary: process.env.TMPDIR, lender: undefined };
  globalThis.__WALTRAIL_RUN__ = run;
  // Of this process and of the workers, which are started later.
  if (run.memory !== undefined) process.env.TMPDIR = run.memory;
  if (process.env.WALTRAIL_TEST_POSTGRES) return;
  const { startPostgres } = await import('../../dist/embedded/postgres.js');
  run.lender = await lendServers(() =>
    startPostgres({
      home: null,
      // Set by installed-postgres.mjs; without it: the embedded one.
      bin: process.env.WALTRAIL_TEST_POSTGRES_BIN,
      settings: { max_replication_slots: '50', max_wal_senders: '50', max_connections: '200' },
    }),
  );
  process.env.WALTRAIL_TEST_LENDER = run.lender.url;
}
