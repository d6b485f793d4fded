import { expect, test } from '@jest/globals';
import { applyTracking, testConfig } from '../support/capture.ts';
import { daemonGround, peakRssMb } from '../support/daemon.ts';
import { freshDatabase } from '../support/database.ts';
import { ownServer } from '../support/server.ts';
import { until } from '../support/until.ts';

const ROWS = 1_000_000;
const LIMIT_MB = 200;

test(`a transaction of ${ROWS} row changes passes through a daemon with every role in less than ${LIMIT_MB} MB`, async () => {
  // On a separate server: a new slot waits for every transaction of its cluster, and this one runs for long.
  await using server = await ownServer('source');
  const source = server.database;
  await using trail = await freshDatabase('trail');
  await source.query(`
    create table customers (id bigint primary key, name text, email text, balance numeric(12,2), attributes jsonb, notes text, updated_by int);
    insert into customers select i, 'Customer ' || i, 'c' || i || '@example.com', i, '{"tier": "gold", "tags": ["a", "b"]}', 'A note about customer ' || i, i % 100
      from generate_series(1, ${ROWS}) i`);
  const tables = `tables: { public.customers: { entity: customer, name: "{name}", modifier: updated_by } }`;
  await applyTracking(testConfig({ source, trail, yaml: tables }));
  await using daemons = await daemonGround({
    sourceUrl: source.url,
    trailUrl: trail.url,
    yaml: `
source: { name: test, url: "\${WALTRAIL_SOURCE_URL}", slot: slot_${source.name}, publication: waltrail }
trail: { url: "\${WALTRAIL_TRAIL_URL}" }
${tables}`,
  });
  const daemon = daemons.start(['--port', '0']);
  const stored = async (): Promise<number> =>
    Number(
      (await trail.query<{ n: string }>('select coalesce(max(entries), -1) as n from trail.checkpoint'))[0]!
        .n,
    );
  await until(`the daemon to capture: ${daemon.log()}`, async () => (await stored()) === 0);

  await source.query('update customers set balance = balance + 1, updated_by = 5');
  await until(
    'the million entries',
    async () => {
      if (daemon.exited) throw new Error(`the daemon ended: ${daemon.log()}`);
      return (await stored()) === ROWS;
    },
    180_000,
  );
  const peakMb = await peakRssMb(daemon.pid);
  const [row] = await trail.query<{ n: number; lsns: number; seqs: number }>(
    'select count(*)::int as n, count(distinct commit_lsn)::int as lsns, count(distinct seq)::int as seqs from trail.entry',
  );
  expect(row).toEqual({ n: ROWS, lsns: 1, seqs: ROWS });
  process.stderr.write(`peak RSS of the daemon: ${peakMb.toFixed(0)} MB\n`);
  expect(peakMb).toBeLessThan(LIMIT_MB);
}, 300_000);
