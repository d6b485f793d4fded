import { isDeepStrictEqual } from 'node:util';
import type { Entry } from '../trail/read/entry.js';
import { clipCell, columnLetters, numberCell, textCell } from './cells.js';
import { REPORT_COLUMNS } from './columns.js';
import type { ZoneClock } from './dates.js';
import type { Sink } from './files.js';
import { dataSheetPart, makeShell, type CellStyles, type CoverLine } from './workbook-shell.js';
import { ZipWriter } from './zip.js';

export interface SheetLimits {
  /** Rows of a sheet with its header; Excel has 1,048,576. */
  readonly maxRows: number;
  /** Bytes of a sheet's XML after which a new sheet begins; a part of a zip archive ends at 4 GiB. */
  readonly maxBytes: number;
}

export interface WorkbookCounts {
  readonly sheets: number;
  /** Cells whose text was longer than Excel can hold. */
  readonly clipped: number;
}

export interface WorkbookOptions {
  readonly batches: AsyncIterable<readonly Entry[]>;
  readonly sink: Sink;
  readonly clock: ZoneClock;
  /**
   * The lines of the cover, of the same kinds each time; asked for again at the end, when everything is
   * counted.
   */
  readonly cover: (counts: WorkbookCounts) => readonly CoverLine[];
  readonly createdAt: Date;
  readonly limits?: SheetLimits;
}

/** Leaves room for the rows of one chunk and what follows the rows. */
export const EXCEL_LIMITS: SheetLimits = { maxRows: 1_048_576, maxBytes: 4_000_000_000 };

const CHUNK_CHARACTERS = 128 * 1024;
const LETTERS = REPORT_COLUMNS.map((_, index) => columnLetters(index));

/**
 * Writes the report as an Excel workbook (ECMA-376): a cover and as many data sheets as the rows need. Rows
 * go through the encoder into the archive batch by batch; memory does not grow with their number. An empty
 * report has its header only.
 */
export async function writeWorkbook(options: WorkbookOptions): Promise<void> {
  const { createdAt, limits = EXCEL_LIMITS } = options;
  const zip = new ZipWriter(options.sink);
  const draft = await makeShell({ cover: options.cover({ sheets: 1, clipped: 0 }), sheets: 1, createdAt });
  const encoder = new RowEncoder({ clock: options.clock, styles: draft.sheet.styles });
  const source = new EntrySource(options.batches);
  let sheets = 0;
  try {
    do {
      sheets++;
      await zip.add(dataSheetPart(sheets), sheetXml({ source, encoder, limits, around: draft.sheet }));
    } while (await source.fill());
  } finally {
    await source.close();
  }
  const shell = await makeShell({
    cover: options.cover({ sheets, clipped: encoder.clipped }),
    sheets,
    createdAt,
  });
  // The sheets refer to the styles of the draft by number.
  if (!isDeepStrictEqual(shell.sheet, draft.sheet))
    throw new Error('the two shells of a workbook differ in style');
  for (const [name, content] of shell.parts) await zip.add(name, [content]);
  await zip.finish();
}

async function* sheetXml(options: {
  readonly source: EntrySource;
  readonly encoder: RowEncoder;
  readonly limits: SheetLimits;
  readonly around: { readonly before: string; readonly after: string };
}): AsyncGenerator<Buffer, void, void> {
  const { source, encoder, limits, around } = options;
  let text = around.before + encoder.header();
  let row = 1;
  let bytes = 0;
  while (row < limits.maxRows && bytes < limits.maxBytes && (source.ready || (await source.fill()))) {
    text += encoder.row(++row, source.take());
    if (text.length < CHUNK_CHARACTERS) continue;
    const chunk = Buffer.from(text);
    bytes += chunk.length;
    text = '';
    yield chunk;
  }
  const lastCell = `${LETTERS[LETTERS.length - 1]!}${row}`;
  yield Buffer.from(
    text + around.after.replace(/<autoFilter ref="[^"]*"/, `<autoFilter ref="A1:${lastCell}"`),
  );
}

/** Entries one at a time from batches: no promise for each row, and one batch in memory. */
class EntrySource {
  readonly #batches: AsyncIterator<readonly Entry[]>;
  #batch: readonly Entry[] = [];
  #index = 0;

  constructor(batches: AsyncIterable<readonly Entry[]>) {
    this.#batches = batches[Symbol.asyncIterator]();
  }

  get ready(): boolean {
    return this.#index < this.#batch.length;
  }

  /** False at the end. */
  async fill(): Promise<boolean> {
    while (!this.ready) {
      const next = await this.#batches.next();
      if (next.done === true) return false;
      this.#batch = next.value;
      this.#index = 0;
    }
    return true;
  }

  take(): Entry {
    return this.#batch[this.#index++]!;
  }

  async close(): Promise<void> {
    await this.#batches.return?.();
  }
}

/** Entries as rows of sheet XML (ECMA-376, part 1, 18.3.1.73). */
class RowEncoder {
  readonly #clock: ZoneClock;
  readonly #styles: CellStyles;
  #clipped = 0;

  constructor(options: { readonly clock: ZoneClock; readonly styles: CellStyles }) {
    this.#clock = options.clock;
    this.#styles = options.styles;
  }

  get clipped(): number {
    return this.#clipped;
  }

  header(): string {
    const cells = REPORT_COLUMNS.map(({ header }, index) =>
      textCell(`${LETTERS[index]!}1`, this.#styles.header, header),
    );
    return `<row r="1">${cells.join('')}</row>`;
  }

  row(row: number, entry: Entry): string {
    let cells = '';
    for (let index = 0; index < REPORT_COLUMNS.length; index++) {
      cells += this.#cell(index, row, entry);
    }
    return `<row r="${row}">${cells}</row>`;
  }

  #cell(index: number, row: number, entry: Entry): string {
    const column = REPORT_COLUMNS[index]!;
    const reference = `${LETTERS[index]!}${row}`;
    const text = column.text(entry);
    if (text === '') return '';
    if (column.kind === 'count') return numberCell(reference, this.#styles.count, text);
    if (column.kind === 'date') {
      const local = this.#clock.local(text);
      if (local?.serial !== undefined) return numberCell(reference, this.#styles.date, local.serial);
      // Excel knows no dates before 1900: those are text, as every reader shows them alike.
      return textCell(reference, this.#styles.text, this.#clock.rfc3339(text));
    }
    const clipped = clipCell(text);
    if (clipped !== text) this.#clipped++;
    return textCell(reference, this.#styles[column.kind], clipped);
  }
}
