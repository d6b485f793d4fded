import type { Entry } from '../trail/read/entry.js';
import type { RowBatch, StoredRows } from '../trail/read/row-batch.js';
import { ROW_TEXT, type RowText } from '../trail/read/row-bytes.js';
import { RowChanges } from '../trail/read/row-changes.js';
import type { ByteWriter } from './byte-writer.js';
import { changeLines, noteText, REPORT_COLUMNS } from './columns.js';
import { csvField, csvLines, withoutFormulas } from './csv-field.js';
import type { ZoneClock } from './dates.js';
import { decodedEntry } from './decoded.js';
import { writeLsn } from './lsn-bytes.js';
import { Piece } from './piece.js';
import { RowTimes } from './row-times.js';
import {
  byteTable,
  copyText,
  GUARDED,
  isLineEnd,
  LEAD_C2,
  LEAD_E2,
  LEAD_EF,
  NOTHING,
  PLAIN,
  STOP,
  type TextForm,
} from './text-form.js';
import { ValueLines } from './value-lines.js';
import { wordsOfReport, type Words } from './words.js';

const COMMA = 0x2c;
const QUOTE = 0x22;
const CARRIAGE_RETURN = 0x0d;
const LINE_FEED = 0x0a;
const PLUS = 0x2b;
const MINUS = 0x2d;
const POINT = 0x2e;
const COLON = 0x3a;
const SPACE = 0x20;
const BRACKET = 0x28;
const MOST_FRACTION = 6;

/** ASCII characters that may precede a formula, as in csv-field.ts. */
const SEPARATORS = ',;:|\t \n\v\f\r';
const BEFORE_FORMULA = new Uint8Array(256);
for (const character of `${SEPARATORS}'"`) BEFORE_FORMULA[character.charCodeAt(0)] = 1;
BEFORE_FORMULA[NOTHING] = 1;

const CSV_ASKS = [...Array.from('=+-@', (character) => character.charCodeAt(0)), LEAD_C2, LEAD_E2, LEAD_EF];

/** Text that is a whole field. Characters that require quotes make it a string. */
const CSV_FIELD: TextForm = {
  ...byteTable({ plain: '\t', stops: '",', asks: CSV_ASKS }),
  ask: (bytes, at, end, before) => {
    switch (bytes[at]) {
      case LEAD_C2:
      case LEAD_E2:
        return isLineEnd(bytes, at) ? STOP : PLAIN;
      case LEAD_EF:
        // Full-width forms are rare, so every character with these first bytes is left to csv-field.ts.
        return bytes[at + 1] === 0xbc ? STOP : PLAIN;
      default:
        return BEFORE_FORMULA[before] === 0 || isPlainNumber(bytes, at, end) || isOffset(bytes, at, end)
          ? PLAIN
          : GUARDED;
    }
  },
  encode: csvField,
};

/** A value inside a field: without formulas, with doubled quotes and indented further lines. */
const CSV_VALUE: TextForm = {
  ...CSV_FIELD,
  ...byteTable({ plain: '\t', asks: CSV_ASKS, pieces: { '"': '""', '\n': '\n  ' } }),
  encode: (text) => withoutFormulas(text).replaceAll('"', '""'),
};

/** True if a sign begins a plain number that ends with the text. */
function isPlainNumber(bytes: Uint8Array, sign: number, end: number): boolean {
  if (bytes[sign] !== PLUS && bytes[sign] !== MINUS) return false;
  let at = afterDigits(bytes, sign + 1, end);
  if (at === sign + 1) return false;
  if (at < end && bytes[at] === POINT) {
    const after = afterDigits(bytes, at + 1, end);
    if (after === at + 1) return false;
    at = after;
  }
  return at === end;
}

/** True if a sign begins the offset after a time, as in csv-field.ts. */
function isOffset(bytes: Uint8Array, sign: number, end: number): boolean {
  if ((bytes[sign] !== PLUS && bytes[sign] !== MINUS) || bytes[sign - 1] !== SPACE) return false;
  // The bytes before a text are no digits, so this never looks at another text.
  let from = sign - 1;
  while (isDigit(bytes[from - 1]) && sign - from <= MOST_FRACTION) from--;
  const digits = sign - 1 - from;
  const secondsEnd = bytes[from - 1] === POINT && digits > 0 ? from - 1 : digits === 2 ? sign - 1 : -1;
  if (!isClock(bytes, secondsEnd - 8, 3)) return false;
  const parts = isClock(bytes, sign + 1, 3) ? 3 : 2;
  const after = sign + 3 * parts;
  if (after > end || !isClock(bytes, sign + 1, parts)) return false;
  return after === end || (after + 1 < end && bytes[after] === SPACE && bytes[after + 1] === BRACKET);
}

/** True if pairs of digits are at a position, with colons between them. */
function isClock(bytes: Uint8Array, at: number, pairs: number): boolean {
  for (let pair = 0; pair < pairs; pair++) {
    const first = at + 3 * pair;
    if (!isDigit(bytes[first]) || !isDigit(bytes[first + 1])) return false;
    if (pair > 0 && bytes[first - 1] !== COLON) return false;
  }
  return true;
}

const isDigit = (byte: number | undefined): boolean => byte !== undefined && byte >= 0x30 && byte <= 0x39;

function afterDigits(bytes: Uint8Array, from: number, end: number): number {
  let at = from;
  while (at < end && isDigit(bytes[at])) at++;
  return at;
}

/** Writes rows of CSV, from the bytes of the trail or from entries. */
export class CsvRows {
  readonly #clock: ZoneClock;
  readonly #times: RowTimes;
  readonly #lines: ValueLines;
  readonly #changes = new RowChanges();
  readonly #words = wordsOfReport(
    ({ text }) =>
      (rows) =>
        new Piece(csvField(text(rows))),
  );

  constructor(clock: ZoneClock) {
    this.#clock = clock;
    this.#times = new RowTimes(clock);
    this.#lines = new ValueLines(CSV_VALUE, clock);
  }

  header(out: ByteWriter): void {
    out.text(`${REPORT_COLUMNS.map((column) => csvField(column.header)).join(',')}\r\n`);
  }

  /** Writes one row of a batch. */
  row(batch: RowBatch, index: number, out: ByteWriter): void {
    const { stored } = batch;
    if (stored === null || !stored.goTo(index)) this.#ofEntry(decodedEntry(batch, index), out);
    else this.#fields(stored, out);
    out.byte(CARRIAGE_RETURN);
    out.byte(LINE_FEED);
  }

  /**
   * Writes the fields in the order of {@link REPORT_COLUMNS}. Such a row has no previous entity and tenant.
   */
  #fields(stored: StoredRows, out: ByteWriter): void {
    const { rows } = stored;
    const modifier = stored.modifierNumber;
    this.#word(this.#words.modifier, modifier, stored, out);
    this.#word(this.#words.action, rows.actionId, stored, out);
    this.#word(this.#words.entityType, rows.entityTypeId, stored, out);
    this.#text(stored, ROW_TEXT.entityName, out);
    this.#values(stored, 'previous', out);
    this.#values(stored, 'updated', out);
    this.#times.write(rows.committedMicros, out);
    out.byte(COMMA);
    this.#text(stored, ROW_TEXT.entityId, out);
    this.#word(this.#words.modifierKind, modifier, stored, out);
    this.#word(this.#words.rung, rows.rung, stored, out);
    this.#word(this.#words.tenant, rows.tenantId, stored, out);
    this.#word(this.#words.table, rows.relationId, stored, out);
    writeLsn(rows, out);
    out.byte(COMMA);
    out.integer(rows.xid);
    out.byte(COMMA);
    out.integer(rows.seq);
    out.byte(COMMA);
    out.byte(COMMA);
    out.byte(COMMA);
    const { notes } = stored;
    if (notes !== null) out.text(csvField(noteText(notes)));
    out.byte(COMMA);
    this.#times.writeOffset(rows.committedMicros, out);
    out.byte(COMMA);
    out.piece(this.#words.actingAs.piece(modifier, stored));
    out.byte(COMMA);
    const changes = this.#changes.of(stored);
    if (changes.length > 0) out.text(csvLines(changeLines(changes)));
  }

  #word(words: Words, number: number, stored: StoredRows, out: ByteWriter): void {
    out.piece(words.piece(number, stored));
    out.byte(COMMA);
  }

  #text({ rows }: StoredRows, field: RowText, out: ByteWriter): void {
    const length = rows.lengthOf(field);
    if (length > 0) {
      const start = rows.startOf(field);
      if (!copyText(CSV_FIELD, rows.bytes, start, start + length, out)) out.text(csvField(rows.text(field)!));
    }
    out.byte(COMMA);
  }

  #values(stored: StoredRows, side: 'previous' | 'updated', out: ByteWriter): void {
    const start = out.at;
    out.byte(QUOTE);
    const lines = this.#lines.write(stored, side, out);
    if (lines > 1 || needsQuotes(out.bytes, start + 1, out.at)) out.byte(QUOTE);
    else {
      out.bytes.copyWithin(start, start + 1, out.at);
      out.at--;
    }
    out.byte(COMMA);
  }

  #ofEntry(entry: Entry, out: ByteWriter): void {
    const fields = REPORT_COLUMNS.map(({ kind, text, lines }) => {
      if (lines !== undefined) return csvLines(lines(entry, this.#clock));
      if (kind === 'date') return csvField(this.#clock.rfc3339(text(entry, this.#clock)));
      // An offset is no text of somebody else.
      return kind === 'offset'
        ? this.#clock.offset(text(entry, this.#clock))
        : csvField(text(entry, this.#clock));
    });
    out.text(fields.join(','));
  }
}

function needsQuotes(bytes: Uint8Array, start: number, end: number): boolean {
  for (let at = start; at < end; at++) {
    const byte = bytes[at]!;
    if (byte === COMMA || byte === QUOTE || byte === CARRIAGE_RETURN || byte === LINE_FEED) return true;
  }
  return false;
}
