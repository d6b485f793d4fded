import { build } from './build.mjs';

/**
 * Boots one ephemeral PostgreSQL for the specs that need one, unless WALTRAIL_TEST_POSTGRES is the URL of a
 * running one. Specs reach it through the environment, which Jest hands to its workers;
 * test/support/database.ts makes their databases.
 */
export default async function setup() {
  if (!(await build(['daemon', 'page'])) || process.env.WALTRAIL_TEST_POSTGRES) return;
  const { startPostgres } = await import('../../dist/embedded/postgres.js');
  const server = await startPostgres({
    home: null,
    // Set by installed-postgres.mjs; without it: the embedded one.
    bin: process.env.WALTRAIL_TEST_POSTGRES_BIN,
    settings: { max_replication_slots: '50', max_wal_senders: '50', max_connections: '200' },
  });
  globalThis.__WALTRAIL_POSTGRES__ = server;
  process.env.WALTRAIL_TEST_POSTGRES = server.url('postgres');
}
