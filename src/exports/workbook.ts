import { isDeepStrictEqual } from 'node:util';
import type { RowBatch } from '../trail/read/row-batch.js';
import { ByteWriter } from './byte-writer.js';
import type { ZoneClock } from './dates.js';
import type { Sink } from './files.js';
import { SharedStrings } from './shared-strings.js';
import { LAST_COLUMN, SheetRows } from './sheet-rows.js';
import { dataSheetPart, makeShell, type CoverLine } from './workbook-shell.js';
import { ZipWriter } from './zip.js';

export interface SheetLimits {
  /** Rows of a sheet, including its header. Excel has 1,048,576. */
  readonly maxRows: number;
  /** Bytes of a sheet's XML after which a new sheet begins. A part of a zip archive has at most 4 GiB. */
  readonly maxBytes: number;
}

export interface WorkbookCounts {
  readonly sheets: number;
  /** Number of cells with a text that is longer than Excel can hold. */
  readonly clipped: number;
}

export interface WorkbookOptions {
  readonly batches: AsyncIterable<RowBatch>;
  readonly sink: Sink;
  readonly clock: ZoneClock;
  /**
   * Returns the lines of the cover, of the same kinds in each call. Called again at the end, when everything
   * is counted.
   */
  readonly cover: (counts: WorkbookCounts) => readonly CoverLine[];
  readonly createdAt: Date;
  readonly limits?: SheetLimits;
}

/** The limits of Excel, with room for the rows of one chunk and for the XML after the rows. */
export const EXCEL_LIMITS: SheetLimits = { maxRows: 1_048_576, maxBytes: 4_000_000_000 };

const CHUNK_BYTES = 256 * 1024;

/**
 * Writes the report as an Excel workbook (ECMA-376): a cover, and one or more data sheets. Rows pass through
 * the encoder into the archive batch by batch, so memory does not grow with their number. An empty report has
 * only its header.
 */
export async function writeWorkbook(options: WorkbookOptions): Promise<void> {
  const { createdAt, limits = EXCEL_LIMITS } = options;
  const zip = new ZipWriter(options.sink);
  const draft = await makeShell({
    cover: options.cover({ sheets: 1, clipped: 0 }),
    lastRows: [1],
    strings: new SharedStrings(),
    createdAt,
  });
  const strings = new SharedStrings();
  const encoder = new SheetRows({ clock: options.clock, styles: draft.sheet.styles, strings });
  const source = new RowSource(options.batches);
  const lastRows: number[] = [];
  try {
    do {
      const part = dataSheetPart(lastRows.length + 1);
      const ended = (row: number): unknown => lastRows.push(row);
      await zip.add(part, sheetXml({ source, encoder, limits, around: draft.sheet, ended }));
    } while (await source.fill());
  } finally {
    await source.close();
  }
  const shell = await makeShell({
    cover: options.cover({ sheets: lastRows.length, clipped: encoder.clipped }),
    lastRows,
    strings,
    createdAt,
  });
  // The sheets refer to the styles of the draft by number, so both shells must have the same styles.
  if (!isDeepStrictEqual(shell.sheet, draft.sheet))
    throw new Error('the two shells of a workbook differ in style');
  for (const [name, content] of shell.parts) await zip.add(name, [content]);
  await zip.finish();
}

async function* sheetXml(options: {
  readonly source: RowSource;
  readonly encoder: SheetRows;
  readonly limits: SheetLimits;
  readonly around: { readonly before: string; readonly after: string };
  /** Called with the number of the last row. */
  readonly ended: (row: number) => void;
}): AsyncGenerator<Buffer, void, void> {
  const { source, encoder, limits, around } = options;
  const out = new ByteWriter();
  out.text(around.before);
  encoder.header(out);
  let row = 1;
  let bytes = 0;
  while (row < limits.maxRows && bytes < limits.maxBytes && (source.ready || (await source.fill()))) {
    encoder.row(++row, source.take(), out);
    if (out.at < CHUNK_BYTES) continue;
    const chunk = out.take();
    bytes += chunk.length;
    yield chunk;
  }
  options.ended(row);
  out.text(around.after.replace(/<autoFilter ref="[^"]*"/, `<autoFilter ref="A1:${LAST_COLUMN}${row}"`));
  yield out.take();
}

/** Takes rows one at a time from batches, without a promise for each row. Keeps one batch in memory. */
class RowSource {
  readonly #batches: AsyncIterator<RowBatch>;
  #batch: RowBatch | undefined;
  #index = 0;

  constructor(batches: AsyncIterable<RowBatch>) {
    this.#batches = batches[Symbol.asyncIterator]();
  }

  get ready(): boolean {
    return this.#index < (this.#batch?.count ?? 0);
  }

  /** Reads the next batch if there are no rows left. Returns false at the end. */
  async fill(): Promise<boolean> {
    while (!this.ready) {
      const next = await this.#batches.next();
      if (next.done === true) return false;
      this.#batch = next.value;
      this.#index = 0;
    }
    return true;
  }

  take(): { readonly batch: RowBatch; readonly index: number } {
    return { batch: this.#batch!, index: this.#index++ };
  }

  async close(): Promise<void> {
    await this.#batches.return?.();
  }
}
