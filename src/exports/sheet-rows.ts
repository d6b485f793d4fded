import type { Entry } from '../trail/read/entry.js';
import type { RowBatch, StoredRows } from '../trail/read/row-batch.js';
import { lsnText, ROW_TEXT, type RowText } from '../trail/read/row-bytes.js';
import type { ByteWriter } from './byte-writer.js';
import {
  clipCell,
  clipLines,
  columnLetters,
  escapeXml,
  MAX_CELL_LENGTH,
  numberCell,
  textCell,
} from './cells.js';
import { REPORT_COLUMNS, type ReportColumn } from './columns.js';
import type { ZoneClock } from './dates.js';
import { decodedEntry } from './decoded.js';
import { RowTimes } from './row-times.js';
import { byteClasses, copyPlain, isLineEnd, LEAD_C2, LEAD_E2, LEAD_EF, type TextForm } from './text-form.js';
import { ValueLines } from './value-lines.js';
import { Words } from './words.js';
import type { CellStyles } from './workbook-shell.js';

const LETTERS = REPORT_COLUMNS.map((_, index) => columnLetters(index));
export const LAST_COLUMN = LETTERS.at(-1)!;
const NOTHING = new Uint8Array(0);
const SPACE = 0x20;
const UNDERSCORE = 0x5f;
const LETTER_X = 0x78;
const TO_LOWER = 0x20;

const TEXT_OPEN = Buffer.from('<t>');
const TEXT_OPEN_EDGES = Buffer.from('<t xml:space="preserve">');
const TEXT_CLOSE = Buffer.from('</t></is></c>');
const NUMBER_CLOSE = Buffer.from('</v></c>');
const ROW_OPEN = Buffer.from('<row r="');
const ROW_OPENED = Buffer.from('">');
const ROW_CLOSE = Buffer.from('</row>');

/** Text in a sheet: what `escapeXml` makes of it. */
const SHEET_TEXT: TextForm = {
  classes: byteClasses({ stops: '&<>', asks: [UNDERSCORE, LEAD_C2, LEAD_E2, LEAD_EF] }),
  // Ends of lines stop as well, for a value has its further lines indented.
  stops: (bytes, at, _start, end) => {
    switch (bytes[at]) {
      case UNDERSCORE:
        return at + 1 < end && (bytes[at + 1]! | TO_LOWER) === LETTER_X;
      case LEAD_EF:
        return bytes[at + 1] === 0xbf && bytes[at + 2]! >= 0xbe;
      default:
        return isLineEnd(bytes, at);
    }
  },
  encode: escapeXml,
};

/** Rows of sheet XML (ECMA-376, part 1, 18.3.1.73), from the bytes of the trail or from entries. */
export class SheetRows {
  readonly #clock: ZoneClock;
  readonly #times: RowTimes;
  readonly #styles: CellStyles;
  readonly #lines = new ValueLines(SHEET_TEXT);
  /** What stands before the number of the row in each cell, and behind it. */
  readonly #before: readonly Uint8Array[];
  readonly #behind: readonly Uint8Array[];
  readonly #words: readonly Words[];
  #number = NOTHING;
  #clipped = 0;
  #lsn = '';
  #lsnHigh = NaN;
  #lsnLow = NaN;
  #micros = NaN;
  #date: Uint8Array = NOTHING;

  constructor(options: { readonly clock: ZoneClock; readonly styles: CellStyles }) {
    this.#clock = options.clock;
    this.#styles = options.styles;
    this.#times = new RowTimes(options.clock);
    this.#before = LETTERS.map((letters) => Buffer.from(`<c r="${letters}`));
    this.#behind = REPORT_COLUMNS.map(({ kind }) => {
      const style = this.#styles[kind];
      const isNumber = kind === 'count' || kind === 'date';
      return Buffer.from(isNumber ? `" s="${style}"><v>` : `" s="${style}" t="inlineStr"><is>`);
    });
    this.#words = REPORT_COLUMNS.map(
      (column) => new Words((text) => this.#bytesBehind(this.#cell(column, 'A', text))),
    );
  }

  /** Cells whose text was longer than Excel can hold. */
  get clipped(): number {
    return this.#clipped;
  }

  header(out: ByteWriter): void {
    const cells = REPORT_COLUMNS.map(({ header }, index) =>
      textCell(`${LETTERS[index]!}1`, this.#styles.header, header),
    );
    out.text(`<row r="1">${cells.join('')}</row>`);
  }

  /** Writes one row of a batch as row `number` of the sheet. */
  row(number: number, source: { readonly batch: RowBatch; readonly index: number }, out: ByteWriter): void {
    const { batch, index } = source;
    const { stored } = batch;
    if (stored === null || !stored.goTo(index)) {
      this.#ofEntry(number, decodedEntry(batch, index), out);
      return;
    }
    this.#number = Buffer.from(String(number));
    out.piece(ROW_OPEN);
    out.piece(this.#number);
    out.piece(ROW_OPENED);
    this.#cells(stored, index, out);
    out.piece(ROW_CLOSE);
  }

  /** In the order of {@link REPORT_COLUMNS}. In such a row those after `Seq` are empty, but the last. */
  #cells(stored: StoredRows, index: number, out: ByteWriter): void {
    const { rows } = stored;
    const modifier = stored.modifierNumber;
    this.#word(0, modifier, () => stored.modifier.name, out);
    this.#word(1, rows.actionId, () => stored.action, out);
    this.#word(2, rows.entityTypeId, () => stored.entityType, out);
    this.#text(3, stored, ROW_TEXT.entityName, out);
    this.#values(4, { stored, index, side: 'previous' }, out);
    this.#values(5, { stored, index, side: 'updated' }, out);
    this.#committed(6, rows.committedMicros, out);
    this.#text(7, stored, ROW_TEXT.entityId, out);
    this.#word(8, modifier, () => stored.modifier.kind ?? '', out);
    this.#word(9, rows.rung, () => stored.modifier.rung, out);
    this.#word(10, rows.tenantId, () => stored.tenant ?? '', out);
    this.#word(11, rows.relationId, () => stored.table, out);
    this.#open(12, out);
    out.piece(TEXT_OPEN);
    out.text(this.#lsnOf(rows.lsnHigh, rows.lsnLow));
    out.piece(TEXT_CLOSE);
    this.#open(13, out);
    out.piece(TEXT_OPEN);
    out.integer(rows.xid);
    out.piece(TEXT_CLOSE);
    this.#open(14, out);
    out.integer(rows.seq);
    out.piece(NUMBER_CLOSE);
    this.#open(18, out);
    out.piece(TEXT_OPEN);
    this.#times.writeOffset(rows.committedMicros, out);
    out.piece(TEXT_CLOSE);
  }

  #open(column: number, out: ByteWriter): void {
    out.piece(this.#before[column]!);
    out.piece(this.#number);
    out.piece(this.#behind[column]!);
  }

  #word(column: number, number: number, text: () => string, out: ByteWriter): void {
    const piece = this.#words[column]!.piece(number, text);
    if (piece.length === 0) return;
    out.piece(this.#before[column]!);
    out.piece(this.#number);
    out.piece(piece);
  }

  #text(column: number, { rows }: StoredRows, field: RowText, out: ByteWriter): void {
    const length = rows.lengthOf(field);
    if (length <= 0) return;
    const start = rows.startOf(field);
    const end = start + length;
    const { bytes } = rows;
    const began = out.at;
    this.#open(column, out);
    const edges = bytes[start]! <= SPACE || bytes[end - 1]! <= SPACE;
    out.piece(edges ? TEXT_OPEN_EDGES : TEXT_OPEN);
    if (length <= MAX_CELL_LENGTH && copyPlain(SHEET_TEXT, { bytes, start, end }, out)) {
      out.piece(TEXT_CLOSE);
      return;
    }
    out.at = began;
    out.text(this.#cell(REPORT_COLUMNS[column]!, this.#reference(column), rows.text(field)!));
  }

  #values(
    column: number,
    from: { readonly stored: StoredRows; readonly index: number; readonly side: 'previous' | 'updated' },
    out: ByteWriter,
  ): void {
    const began = out.at;
    this.#open(column, out);
    out.piece(TEXT_OPEN);
    const start = out.at;
    if (this.#lines.write(from.stored, from.side, out) === 0) {
      out.at = began;
      return;
    }
    // As many bytes are at least as many characters.
    if (out.at - start > MAX_CELL_LENGTH || this.#lines.hasEdge) {
      out.at = began;
      const entry = decodedEntry(from.stored, from.index);
      out.text(this.#cellOf(REPORT_COLUMNS[column]!, this.#reference(column), entry));
      return;
    }
    out.piece(TEXT_CLOSE);
  }

  #committed(column: number, micros: number, out: ByteWriter): void {
    // Rows of one transaction have one commit time.
    if (micros !== this.#micros) {
      this.#micros = micros;
      const serial = this.#times.serial(micros);
      if (serial === undefined) {
        const start = out.at;
        this.#times.write(micros, out);
        const time = out.bytes.toString('latin1', start, out.at);
        out.at = start;
        this.#date = this.#bytesBehind(textCell('A', this.#styles.text, time));
      } else this.#date = this.#bytesBehind(numberCell('A', this.#styles.date, serial));
    }
    out.piece(this.#before[column]!);
    out.piece(this.#number);
    out.piece(this.#date);
  }

  #lsnOf(high: number, low: number): string {
    if (high !== this.#lsnHigh || low !== this.#lsnLow) {
      this.#lsnHigh = high;
      this.#lsnLow = low;
      this.#lsn = lsnText(high, low);
    }
    return this.#lsn;
  }

  #reference(column: number): string {
    return `${LETTERS[column]!}${Buffer.from(this.#number).toString('latin1')}`;
  }

  /** What stands behind the reference `A` of a cell; an empty piece of an empty one. */
  #bytesBehind(cell: string): Uint8Array {
    return cell === '' ? NOTHING : Buffer.from(cell.slice('<c r="A'.length));
  }

  #ofEntry(number: number, entry: Entry, out: ByteWriter): void {
    let cells = '';
    for (const [index, column] of REPORT_COLUMNS.entries())
      cells += this.#cellOf(column, `${LETTERS[index]!}${number}`, entry);
    out.text(`<row r="${number}">${cells}</row>`);
  }

  #cellOf(column: ReportColumn, reference: string, entry: Entry): string {
    const text = column.text(entry);
    if (column.lines === undefined || text.length <= MAX_CELL_LENGTH)
      return this.#cell(column, reference, text);
    this.#clipped++;
    return textCell(reference, this.#styles.lines, clipLines(column.lines(entry)));
  }

  #cell(column: ReportColumn, reference: string, text: string): string {
    if (text === '') return '';
    if (column.kind === 'count') return numberCell(reference, this.#styles.count, text);
    if (column.kind === 'date') {
      const local = this.#clock.local(text);
      if (local?.serial !== undefined) return numberCell(reference, this.#styles.date, local.serial);
      // Excel knows no dates before 1900: those are text, as every reader shows them alike.
      return textCell(reference, this.#styles.text, this.#clock.rfc3339(text));
    }
    if (column.kind === 'offset') {
      const offset = this.#clock.offset(text);
      return offset === '' ? '' : textCell(reference, this.#styles.offset, offset);
    }
    const clipped = clipCell(text);
    if (clipped !== text) this.#clipped++;
    return textCell(reference, this.#styles[column.kind], clipped);
  }
}
