/**
 * Asks for 1,000 rows, 500 times, on a connection and on a pool. Prints how much each left in the heap, in
 * MB. Only a full collection would free that, and none runs during the test:
 *
 *   node --no-incremental-marking ask-often.mjs URL
 */
import v8 from 'node:v8';
import { connect, createPool } from '../../dist/pg/connect.js';

const OFTEN = 500;
const QUERY = `select g, repeat('x', 100) as text from generate_series(1, $1) g`;
const oldMb = () =>
  v8.getHeapSpaceStatistics().find(({ space_name }) => space_name === 'old_space').space_used_size / 1e6;
const options = { url: process.argv[2], purpose: 'test' };
const client = await connect(options);
const pool = createPool({ ...options, max: 2 });
const held = await pool.connect();
const left = [];
for (const asked of [client, held, pool]) {
  const before = oldMb();
  for (let count = 0; count < OFTEN; count++) await asked.query(QUERY, [1_000]);
  left.push(Math.round(oldMb() - before));
}
process.stdout.write(JSON.stringify(left));
held.release();
await pool.end();
await client.end();
