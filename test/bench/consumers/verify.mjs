/**
 * Verifies a trail once, in a separate process. Order: { url, role }. Reports { seconds, readerCpuS,
 * serverCpuS, peakRssMb, checked, findings }.
 */
import { once } from 'node:events';
import { connect } from '../../../dist/pg/connect.js';
import { verifyQuick } from '../../../dist/proof/quick.js';
import { takeRole } from '../../../dist/trail/roles.js';
import { processFigures } from '../lib.mjs';

const [{ url }] = await once(process, 'message');
process.once('disconnect', () => process.exit());
const client = await connect({ url, purpose: 'bench' });
await takeRole(client, 'waltrail_reader');
const { rows } = await client.query('select pg_backend_pid() as pid');
const start = performance.now();
const { checked, findings } = await verifyQuick({ client, progress: () => undefined });
const seconds = (performance.now() - start) / 1000;
const own = processFigures(process.pid);
process.send({
  seconds,
  readerCpuS: own?.cpuS ?? null,
  serverCpuS: processFigures(rows[0].pid)?.cpuS ?? null,
  peakRssMb: own?.peakRssMb ?? null,
  checked,
  findings: findings.total,
});
await client.end();
