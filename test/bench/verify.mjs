/** Measures `waltrail verify --quick` over a week of entries, in a separate process. */
import { withCluster } from './ground.mjs';
import { medians, say, startConsumer } from './lib.mjs';
import { seedWeek } from './trail-data.mjs';

export const defaults = { entries: 1_000_000, runs: 3 };
const LIMIT_MS = 1_800_000;

export async function run({ entries, runs }) {
  return withCluster({ shared_buffers: '512MB', max_wal_size: '16GB' }, async ({ server, client }) => {
    const url = server.url('postgres');
    say('  seeding …');
    await seedWeek({ url, entries });
    await client.query('vacuum analyze trail.entry');
    const measured = [];
    for (let index = 0; index < runs; index++) {
      const consumer = startConsumer('verify.mjs', { url });
      const figures = await consumer.next({ limitMs: LIMIT_MS });
      await consumer.stop();
      if (figures.findings > 0 || figures.checked.entries !== entries)
        throw new Error(`verify found ${JSON.stringify(figures)}`);
      measured.push(figures);
      say(`  ${index + 1}/${runs}: ${figures.seconds.toFixed(1)} s`);
    }
    const { rows } = await client.query('show server_version');
    const { seconds, readerCpuS, serverCpuS, peakRssMb } = medians(measured);
    return {
      versions: { postgres: rows[0].server_version },
      rows: [
        {
          what: 'verify --quick',
          seconds,
          'reader CPU s': readerCpuS,
          "trail's CPU s": serverCpuS,
          'peak RSS MB': peakRssMb,
          'entries/s': Math.round(entries / seconds),
        },
      ],
      runs: measured,
    };
  });
}
