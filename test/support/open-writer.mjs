/**
 * Opens a writer in a process of its own, and prints how much the memory of the process grew at most, in MB.
 *
 *   node open-writer.mjs URL HELD_TABLE
 */
import { elect, readCheckpoint } from '../../dist/trail/write/checkpoint.js';
import { TrailWriter } from '../../dist/trail/write/trail-writer.js';

const [url, held] = process.argv.slice(2);
const client = await elect(url);
const checkpoint = await readCheckpoint(client, 'crm');
const peakKb = () => process.resourceUsage().maxRSS;
const before = peakKb();
const writer = await TrailWriter.open({
  client,
  checkpoint,
  held: new Set([held]),
  lookupTables: new Map([[held, false]]),
  tickMs: 5_000,
  failed: () => undefined,
});
const name = writer.lookups.get(held, '7')?.name;
process.stdout.write(JSON.stringify({ grewMb: Math.round((peakKb() - before) / 1e3), name }));
await writer.close();
