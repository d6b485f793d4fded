/**
 * A process that reads the rows of a range into memory and then writes a file of them. Only the writing is
 * measured: Waltrail's writers without queue, database and checksum of the file.
 */
import { open, rm } from 'node:fs/promises';
import path from 'node:path';
import { performance } from 'node:perf_hooks';
import { Readable } from 'node:stream';
import { ZoneClock } from '../../../dist/exports/dates.js';
import { createPool } from '../../../dist/pg/connect.js';
import { ReaderDictionaries } from '../../../dist/trail/read/dictionaries.js';
import { storedFilter } from '../../../dist/trail/read/filter.js';
import { readRowBatch } from '../../../dist/trail/read/row-batch.js';
import { RowBytes } from '../../../dist/trail/read/row-bytes.js';
import { withSnapshot } from '../../../dist/trail/read/snapshot.js';

const ROWS_OF_BATCH = 16_384;

process.once('message', async ({ url, exportDir, range, timezone, format }) => {
  const batches = await rowsOf({ url, range });
  const file = path.join(exportDir, `writer.${format}`);
  const cpu = process.cpuUsage();
  const start = performance.now();
  const handle = await open(file, 'w');
  await write({ rows: batches, format, clock: new ZoneClock(timezone), sink: sinkOf(handle) });
  const fileMb = (await handle.stat()).size / 1e6;
  await handle.close();
  const seconds = (performance.now() - start) / 1000;
  const { user, system } = process.cpuUsage(cpu);
  await rm(file);
  const entries = batches.reduce((sum, { count }) => sum + count, 0);
  process.send({ entries, seconds, fileMb, cpuS: (user + system) / 1e6 });
});
process.once('disconnect', () => process.exit());

/** Reads all rows of a range, newest first, as an export does. */
async function rowsOf({ url, range }) {
  const pool = createPool({ url, purpose: 'bench', max: 1 });
  const options = { pool, dictionaries: new ReaderDictionaries(), timeoutMs: 600_000, plans: 'fresh' };
  const batches = [];
  let below;
  for (let more = true; more;) {
    const read = await withSnapshot(options, async (snapshot) => {
      below ??= BigInt(snapshot.head.nextId);
      const filter = await storedFilter(range, snapshot);
      const walk = { filter, above: 0n, below, order: 'desc', limit: ROWS_OF_BATCH };
      return readRowBatch(snapshot, { walk, scope: null, withContexts: false, rows: new RowBytes() });
    });
    const { batch } = read;
    more = read.more;
    if (batch.count === 0) break;
    batches.push(batch);
    batch.rows.goTo(batch.count - 1);
    below = batch.rows.id;
  }
  await pool.end();
  return batches;
}

async function write({ rows, format, clock, sink }) {
  const batches = Readable.from(rows);
  if (format === 'xlsx') {
    const { writeWorkbook } = await import('../../../dist/exports/workbook.js');
    const cover = () => [{ label: 'Made for', text: 'a bench' }];
    return writeWorkbook({ batches, sink, clock, cover, createdAt: new Date() });
  }
  const { writeCsv, writeNdjson } = await import('../../../dist/exports/text-formats.js');
  return format === 'csv' ? writeCsv({ batches, sink, clock }) : writeNdjson({ batches, sink });
}

const sinkOf = (handle) => ({
  write: async (bytes) => {
    for (let at = 0; at < bytes.length;) at += (await handle.write(bytes, at)).bytesWritten;
  },
});
