/**
 * Measures how one token that misuses the API affects an admin's first pages and live view, without and with
 * the misuse. The daemon has a separate process, with API and exports, as `waltrail start` runs them.
 */
import { createToken } from '../../dist/admin/auth/tokens.js';
import { createPool } from '../../dist/pg/connect.js';
import { withCluster } from './ground.mjs';
import { quantile, say, startConsumer, temporaryFolder } from './lib.mjs';
import { seedWeek, testSupport } from './trail-data.mjs';

export const defaults = { entries: 1_000_000, seconds: 30, runs: 1 };

export async function run({ entries, seconds, runs }) {
  return withCluster({ shared_buffers: '512MB', max_wal_size: '16GB' }, async ({ server, client }) => {
    const url = server.url('postgres');
    say('  seeding …');
    await seedWeek({ url, entries });
    await client.query('vacuum analyze trail.entry');
    const { addAnother, misuse } = await testSupport('misuse');
    const pool = createPool({ url, purpose: 'bench', max: 1 });
    const measured = [];
    try {
      const admin = await createToken(pool, { name: 'admin', role: 'admin' });
      for (let index = 0; index < runs; index++) {
        const misuser = await createToken(pool, { name: `misuser ${index}`, role: 'exporter' });
        const daemon = startConsumer('daemon.mjs', { url, dataDir: temporaryFolder() });
        try {
          const { address } = await daemon.next({ limitMs: 60_000 });
          // Two of the streams resume further back than allowed, and two from where it takes longest.
          const { rows } = await pool.query(
            `select id::text from trail.entry where committed_at > now() - interval '6 days 23 hours' order by id limit 1`,
          );
          const given = {
            url: address,
            misuser,
            admin,
            seconds,
            addEntry: () => addAnother(pool),
            resumeAfter: rows[0].id,
          };
          say('  alone …');
          measured.push({ load: 'alone', ...(await misuse({ ...given, idle: true })) });
          say('  misused …');
          measured.push({ load: 'misused', ...(await misuse(given)) });
        } finally {
          await daemon.stop();
        }
      }
    } finally {
      await pool.end();
    }
    const { rows } = await client.query('show server_version');
    return {
      versions: { postgres: rows[0].server_version },
      rows: ['alone', 'misused'].map((load) => rowOf(load, measured)),
      answers: measured.map(({ load, answers }) => ({ load, answers })),
    };
  });
}

function rowOf(load, measured) {
  const of = measured.filter((one) => one.load === load);
  const pages = of.flatMap(({ pageMs }) => pageMs);
  const live = of.flatMap(({ liveMs }) => liveMs);
  return {
    load,
    pages: pages.length,
    'page p50 ms': quantile(pages, 0.5),
    'page p99 ms': quantile(pages, 0.99),
    'page max ms': quantile(pages, 1),
    'live p50 ms': quantile(live, 0.5),
    'live max ms': quantile(live, 1),
  };
}
