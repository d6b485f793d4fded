import type { RowBatch } from '../trail/read/row-batch.js';
import { ByteWriter } from './byte-writer.js';
import { CsvRows } from './csv-rows.js';
import type { ZoneClock } from './dates.js';
import type { Sink } from './files.js';
import { NdjsonRows } from './ndjson-rows.js';
import { WriteBehind } from './write-behind.js';

interface TextOptions {
  /** When the next batch is requested, all rows of those before are in the sink. */
  readonly batches: AsyncIterable<RowBatch>;
  readonly sink: Sink;
  /** True if the sink already has the beginning of the file. No row depends on those before it. */
  readonly continues?: boolean;
}

/** Without it, Excel reads the bytes in the machine's legacy code page. */
const BYTE_ORDER_MARK = '\ufeff';
const CHUNK_BYTES = 256 * 1024;

/**
 * Writes the report's columns as CSV: RFC 4180 with a header, CRLF and UTF-8 with a byte order mark. Dates
 * are RFC 3339 in the requested zone, with microseconds. An apostrophe precedes what a spreadsheet would take
 * for a formula. Programs that need the exact values use the format ndjson.
 */
export async function writeCsv(options: TextOptions & { readonly clock: ZoneClock }): Promise<void> {
  const rows = new CsvRows(options.clock);
  const out = new ByteWriter();
  if (options.continues !== true) {
    out.text(BYTE_ORDER_MARK);
    rows.header(out);
  }
  await writeRows({ ...options, rows, out });
}

/**
 * Writes the entries as the API shows them, one JSON object in each line, with every value exactly as
 * PostgreSQL printed it.
 */
export async function writeNdjson(options: TextOptions): Promise<void> {
  await writeRows({ ...options, rows: new NdjsonRows(), out: new ByteWriter() });
}

async function writeRows(
  options: TextOptions & { readonly rows: CsvRows | NdjsonRows; readonly out: ByteWriter },
): Promise<void> {
  const { rows, out } = options;
  const file = new WriteBehind(options.sink);
  const write = (): Promise<void> => file.begin(() => out.take());
  for await (const batch of options.batches) {
    for (let index = 0; index < batch.count; index++) {
      rows.row(batch, index, out);
      if (out.at >= CHUNK_BYTES) await write();
    }
    await write();
    await file.end();
  }
  // Writes the header of a file without rows.
  await write();
  await file.end();
}
