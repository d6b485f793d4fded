import type { Entry } from '../trail/read/entry.js';
import type { RowBatch, StoredRows } from '../trail/read/row-batch.js';
import { ROW_TEXT, type RowText } from '../trail/read/row-bytes.js';
import { RowChanges } from '../trail/read/row-changes.js';
import type { ByteWriter } from './byte-writer.js';
import {
  clipCell,
  clipLines,
  columnLetters,
  escapeXml,
  MAX_CELL_LENGTH,
  numberCell,
  sharedCell,
  textCell,
} from './cells.js';
import { changeLines, noteText, REPORT_COLUMNS, type ColumnKind, type ReportColumn } from './columns.js';
import type { ZoneClock } from './dates.js';
import { decodedEntry } from './decoded.js';
import { excelDate, isExcelDate, writeExcelDate } from './excel-dates.js';
import { writeLsn } from './lsn-bytes.js';
import { NumberedPieces } from './numbered-pieces.js';
import { Piece } from './piece.js';
import { RowTimes } from './row-times.js';
import type { SharedStrings } from './shared-strings.js';
import {
  byteTable,
  copyText,
  isLineEnd,
  LEAD_C2,
  LEAD_E2,
  LEAD_EF,
  PLAIN,
  STOP,
  type TextForm,
} from './text-form.js';
import { ValueLines } from './value-lines.js';
import { WORD_PLACES, wordsOfReport } from './words.js';
import type { CellStyles } from './workbook-shell.js';

const LETTERS = REPORT_COLUMNS.map((_, index) => columnLetters(index));
export const LAST_COLUMN = LETTERS.at(-1)!;
const SPACE = 0x20;
const UNDERSCORE = 0x5f;
const LETTER_X = 0x78;
const TO_LOWER = 0x20;

const TEXT_OPEN = '<t>';
const TEXT_OPEN_EDGES = new Piece('<t xml:space="preserve">');
const TEXT_CLOSE = new Piece('</t></is></c>');
const NUMBER_CLOSE = new Piece('</v></c>');
/** Index of the row's head, after the heads of the cells. */
const ROW_HEAD = REPORT_COLUMNS.length;
const ROW_CLOSE = new Piece('</row>');

const SHEET_BYTES = {
  plain: '\t\n',
  asks: [UNDERSCORE, LEAD_C2, LEAD_E2, LEAD_EF],
  pieces: { '&': '&amp;', '<': '&lt;', '>': '&gt;' },
};

/** Text in a sheet, as `escapeXml` returns it. */
const SHEET_TEXT: TextForm = {
  ...byteTable(SHEET_BYTES),
  ask: (bytes, at, end) => {
    switch (bytes[at]) {
      case UNDERSCORE:
        return at + 1 < end && (bytes[at + 1]! | TO_LOWER) === LETTER_X ? STOP : PLAIN;
      case LEAD_EF:
        return bytes[at + 1] === 0xbf && bytes[at + 2]! >= 0xbe ? STOP : PLAIN;
      default:
        return isLineEnd(bytes, at) ? STOP : PLAIN;
    }
  },
  encode: escapeXml,
};

/** Values in a sheet. Their further lines are indented. */
const SHEET_VALUE: TextForm = {
  ...SHEET_TEXT,
  ...byteTable({ ...SHEET_BYTES, pieces: { ...SHEET_BYTES.pieces, '\n': '\n  ' } }),
};

/** Writes rows of sheet XML (ECMA-376, part 1, 18.3.1.73), from the bytes of the trail or from entries. */
export class SheetRows {
  readonly #clock: ZoneClock;
  readonly #times: RowTimes;
  readonly #styles: CellStyles;
  readonly #lines: ValueLines;
  readonly #changes = new RowChanges();
  /** The XML before the content of each cell. For a word or a date, it ends after the row number. */
  readonly #heads: NumberedPieces;
  readonly #words: ReturnType<typeof wordsOfReport>;
  readonly #strings: SharedStrings;
  /** The offset of the row before. */
  #offset = { text: '', piece: Piece.EMPTY };
  /** The XML between the reference and the number of a date. */
  readonly #dateOpen: Piece;
  #clipped = 0;

  constructor(options: {
    readonly clock: ZoneClock;
    readonly styles: CellStyles;
    readonly strings: SharedStrings;
  }) {
    this.#clock = options.clock;
    this.#styles = options.styles;
    this.#times = new RowTimes(options.clock);
    this.#dateOpen = new Piece(`" s="${options.styles.date}"><v>`);
    this.#lines = new ValueLines(SHEET_VALUE, options.clock);
    this.#strings = options.strings;
    this.#words = wordsOfReport(
      ({ column, text }) =>
        (rows) =>
          this.#wordPiece(column, text(rows)),
    );
    this.#heads = new NumberedPieces([
      ...REPORT_COLUMNS.map(({ kind }, index) => ({
        before: `<c r="${LETTERS[index]!}`,
        after: this.#afterNumber(kind, index),
      })),
      { before: '<row r="', after: '">' },
    ]);
  }

  /** Number of cells with a text that is longer than Excel can hold. */
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
    this.#heads.goTo(number);
    out.piece(this.#heads.at(ROW_HEAD));
    this.#cells(stored, index, out);
    out.piece(ROW_CLOSE);
  }

  /**
   * Writes the cells in the order of {@link REPORT_COLUMNS}. Such a row has no previous entity and tenant.
   */
  #cells(stored: StoredRows, index: number, out: ByteWriter): void {
    const { rows } = stored;
    const modifier = stored.modifierNumber;
    const words = this.#words;
    this.#word(0, words.modifier.piece(modifier, stored), out);
    this.#word(1, words.action.piece(rows.actionId, stored), out);
    this.#word(2, words.entityType.piece(rows.entityTypeId, stored), out);
    this.#text(3, stored, ROW_TEXT.entityName, out);
    this.#values(4, { stored, index, side: 'previous' }, out);
    this.#values(5, { stored, index, side: 'updated' }, out);
    this.#committed(6, rows.committedMicros, out);
    this.#text(7, stored, ROW_TEXT.entityId, out);
    this.#word(8, words.modifierKind.piece(modifier, stored), out);
    this.#word(9, words.rung.piece(rows.rung, stored), out);
    this.#word(10, words.tenant.piece(rows.tenantId, stored), out);
    this.#word(11, words.table.piece(rows.relationId, stored), out);
    out.piece(this.#heads.at(12));
    writeLsn(rows, out);
    out.piece(TEXT_CLOSE);
    out.piece(this.#heads.at(13));
    out.integer(rows.xid);
    out.piece(TEXT_CLOSE);
    out.piece(this.#heads.at(14));
    out.integer(rows.seq);
    out.piece(NUMBER_CLOSE);
    const { notes } = stored;
    if (notes !== null) out.text(this.#cell(REPORT_COLUMNS[17]!, this.#reference(17), noteText(notes)));
    this.#word(18, this.#offsetPiece(18, rows.committedMicros), out);
    this.#word(19, words.actingAs.piece(modifier, stored), out);
    const changes = this.#changes.of(stored);
    if (changes.length > 0)
      out.text(this.#linesCell(REPORT_COLUMNS[20]!, this.#reference(20), changeLines(changes)));
  }

  /** Returns the XML of a cell after its reference, whose text repeats. */
  #wordPiece(column: number, text: string): Piece {
    if (text === '') return Piece.EMPTY;
    const style = this.#styles[REPORT_COLUMNS[column]!.kind];
    const number = text.length > MAX_CELL_LENGTH ? undefined : this.#strings.numberOf(text);
    const cell = number === undefined ? this.#textCell('A', style, text) : sharedCell('A', style, number);
    return new Piece(afterReference(cell));
  }

  #offsetPiece(column: number, micros: number): Piece {
    const text = this.#times.offset(micros);
    if (text !== this.#offset.text) this.#offset = { text, piece: this.#wordPiece(column, text) };
    return this.#offset.piece;
  }

  #word(column: number, piece: Piece, out: ByteWriter): void {
    if (piece.length === 0) return;
    out.piece(this.#heads.at(column));
    out.piece(piece);
  }

  #text(column: number, { rows }: StoredRows, field: RowText, out: ByteWriter): void {
    const length = rows.lengthOf(field);
    if (length <= 0) return;
    const start = rows.startOf(field);
    const end = start + length;
    const { bytes } = rows;
    const began = out.at;
    out.piece(this.#heads.at(column));
    if (bytes[start]! <= SPACE || bytes[end - 1]! <= SPACE) {
      out.at -= TEXT_OPEN.length;
      out.piece(TEXT_OPEN_EDGES);
    }
    if (length <= MAX_CELL_LENGTH && copyText(SHEET_TEXT, bytes, start, end, out)) {
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
    out.piece(this.#heads.at(column));
    const start = out.at;
    if (this.#lines.write(from.stored, from.side, out) === 0) {
      out.at = began;
      return;
    }
    // A text has at most one character for each byte.
    if (out.at - start > MAX_CELL_LENGTH || this.#lines.hasEdge) {
      out.at = began;
      const entry = decodedEntry(from.stored, from.index);
      out.text(this.#cellOf(REPORT_COLUMNS[column]!, this.#reference(column), entry));
      return;
    }
    out.piece(TEXT_CLOSE);
  }

  #committed(column: number, micros: number, out: ByteWriter): void {
    out.piece(this.#heads.at(column));
    const localMs = this.#times.localMs(micros);
    if (isExcelDate(localMs)) {
      out.piece(this.#dateOpen);
      writeExcelDate(localMs, out);
      out.piece(NUMBER_CLOSE);
      return;
    }
    const start = out.at;
    this.#times.write(micros, out);
    const time = out.bytes.toString('latin1', start, out.at);
    out.at = start;
    out.text(afterReference(textCell('A', this.#styles.text, time)));
  }

  #reference(column: number): string {
    return `${LETTERS[column]!}${this.#heads.number}`;
  }

  #afterNumber(kind: ColumnKind, column: number): string {
    if (kind === 'date' || kind === 'offset' || WORD_PLACES.has(column)) return '';
    const open = `" s="${this.#styles[kind]}"`;
    return kind === 'count' ? `${open}><v>` : `${open} t="inlineStr"><is>${TEXT_OPEN}`;
  }

  #ofEntry(number: number, entry: Entry, out: ByteWriter): void {
    let cells = '';
    for (const [index, column] of REPORT_COLUMNS.entries())
      cells += this.#cellOf(column, `${LETTERS[index]!}${number}`, entry);
    out.text(`<row r="${number}">${cells}</row>`);
  }

  #cellOf(column: ReportColumn, reference: string, entry: Entry): string {
    return column.lines === undefined
      ? this.#cell(column, reference, column.text(entry, this.#clock))
      : this.#linesCell(column, reference, column.lines(entry, this.#clock));
  }

  #linesCell(column: ReportColumn, reference: string, lines: readonly string[]): string {
    const text = lines.join('\n');
    if (text.length <= MAX_CELL_LENGTH) return this.#cell(column, reference, text);
    this.#clipped++;
    return textCell(reference, this.#styles.lines, clipLines(lines));
  }

  #cell(column: ReportColumn, reference: string, text: string): string {
    if (text === '') return '';
    if (column.kind === 'count') return numberCell(reference, this.#styles.count, text);
    if (column.kind === 'date') {
      const local = this.#clock.local(text);
      if (local !== undefined && isExcelDate(local.localMs))
        return numberCell(reference, this.#styles.date, excelDate(local.localMs));
      // Excel has no dates before 1900. They are written as text, which every reader shows alike.
      return textCell(reference, this.#styles.text, this.#clock.rfc3339(text));
    }
    if (column.kind === 'offset') {
      const offset = this.#clock.offset(text);
      return offset === '' ? '' : textCell(reference, this.#styles.offset, offset);
    }
    return this.#textCell(reference, this.#styles[column.kind], text);
  }

  #textCell(reference: string, style: string, text: string): string {
    const clipped = clipCell(text);
    if (clipped !== text) this.#clipped++;
    return textCell(reference, style, clipped);
  }
}

/** Returns the XML after the reference `A` of a cell; empty for an empty cell. */
const afterReference = (cell: string): string => cell.slice('<c r="A'.length);
