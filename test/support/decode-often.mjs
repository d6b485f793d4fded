/**
 * Decodes a page with labels 2,000 times, and prints how much that left in the heap, in MB. Only a full
 * collection would free that, and none runs during the test:
 *
 *   node --no-incremental-marking decode-often.mjs
 */
import v8 from 'node:v8';
import { decodeRows } from '../../dist/trail/read/decode.js';
import { ReaderDictionaries } from '../../dist/trail/read/dictionaries.js';

const OFTEN = 2_000;
const dictionaries = new ReaderDictionaries();
dictionaries.relations.set(1, {
  table: 'public.agents',
  columns: [
    { name: 'id', type: 23 },
    { name: 'status', type: 23, values: { 1: 'open', 2: 'closed' } },
    { name: 'team_id', type: 23, label: 'public.teams' },
  ],
});
const rows = Array.from({ length: 50 }, (_, index) => ({
  id: String(1_000 + index),
  committed_at: '2026-11-01T00:00:00.000000Z',
  commit_lsn: '0/1',
  seq: index,
  xid: '7',
  modifier_id: 1,
  relation_id: 1,
  tenant_id: 0,
  entity_type_id: 1,
  previous_tenant_id: null,
  action_id: 1,
  operation: 'u',
  rung: 'c',
  entity_id: '7',
  entity_name: 'Amira',
  previous_entity_id: null,
  previous_entity_name: null,
  columns: null,
  extra: null,
  previous: `${index}\x1f1\x1f${index}\x1f`,
  updated: `${index}\x1f2\x1f${index + 1}\x1f`,
}));
// A name for each looked-up key.
const query = async (text, values) => ({
  rows: text.includes('trail.lookup')
    ? values[0].map((_, index) => ({ number: String(index + 1), from_id: '0', name: `Team ${index}` }))
    : [],
});
const page = () => decodeRows(rows, { query, dictionaries, scope: null });
const oldMb = () =>
  v8.getHeapSpaceStatistics().find(({ space_name }) => space_name === 'old_space').space_used_size / 1e6;

const [{ updated }] = await page();
const labels = [...updated.values()].map(({ label }) => label ?? null);
for (let count = 0; count < 100; count++) await page();
const before = oldMb();
for (let count = 0; count < OFTEN; count++) await page();
process.stdout.write(JSON.stringify({ leftMb: Math.round(oldMb() - before), labels }));
