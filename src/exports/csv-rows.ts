import type { Entry } from '../trail/read/entry.js';
import type { RowBatch, StoredRows } from '../trail/read/row-batch.js';
import { lsnText, ROW_TEXT, type RowText } from '../trail/read/row-bytes.js';
import type { ByteWriter } from './byte-writer.js';
import { REPORT_COLUMNS } from './columns.js';
import { csvField, withoutFormulas } from './csv-field.js';
import type { ZoneClock } from './dates.js';
import { decodedEntry } from './decoded.js';
import { RowTimes } from './row-times.js';
import { byteClasses, copyPlain, isLineEnd, LEAD_C2, LEAD_E2, LEAD_EF, type TextForm } from './text-form.js';
import { ValueLines } from './value-lines.js';
import { Words } from './words.js';

const COMMA = 0x2c;
const QUOTE = 0x22;
const CARRIAGE_RETURN = 0x0d;
const LINE_FEED = 0x0a;

/** What may stand before a formula, as csv-field.ts has it, but for characters beyond ASCII. */
const BEFORE_FORMULA = new Set(Array.from(',;:|\t \n\v\f\r\'"', (character) => character.charCodeAt(0)));
const CONTINUATION = 0x80;

/**
 * Text inside a field of values: without formulas, its quotes doubled. It begins behind what may be a
 * separator.
 */
const CSV_TEXT: TextForm = {
  classes: byteClasses({
    stops: '"',
    asks: [...Array.from('=+-@', (character) => character.charCodeAt(0)), LEAD_C2, LEAD_E2, LEAD_EF],
  }),
  stops: (bytes, at, start) => {
    const byte = bytes[at]!;
    if (byte === LEAD_C2 || byte === LEAD_E2) return isLineEnd(bytes, at);
    // Full-width forms are so rare that every character of their kind is looked at in csv-field.ts.
    if (byte === LEAD_EF) return bytes[at + 1] === 0xbc;
    return at === start || bytes[at - 1]! >= CONTINUATION || BEFORE_FORMULA.has(bytes[at - 1]!);
  },
  encode: (text) => withoutFormulas(text).replaceAll('"', '""'),
};

/** Text that is a whole field: what asks for quotes stops as well. */
const CSV_FIELD: TextForm = {
  ...CSV_TEXT,
  classes: CSV_TEXT.classes.map((is, byte) => (byte === COMMA ? 1 : is)),
  encode: csvField,
};

/** Rows of CSV, from the bytes of the trail or from entries. */
export class CsvRows {
  readonly #clock: ZoneClock;
  readonly #times: RowTimes;
  readonly #lines = new ValueLines(CSV_TEXT);
  readonly #words = REPORT_COLUMNS.map(() => new Words((text) => Buffer.from(csvField(text))));

  constructor(clock: ZoneClock) {
    this.#clock = clock;
    this.#times = new RowTimes(clock);
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

  /** In the order of {@link REPORT_COLUMNS}. In such a row those after `Seq` are empty, but the last. */
  #fields(stored: StoredRows, out: ByteWriter): void {
    const { rows } = stored;
    const modifier = stored.modifierNumber;
    this.#word(0, modifier, () => stored.modifier.name, out);
    this.#word(1, rows.actionId, () => stored.action, out);
    this.#word(2, rows.entityTypeId, () => stored.entityType, out);
    this.#text(stored, ROW_TEXT.entityName, out);
    this.#values(stored, 'previous', out);
    this.#values(stored, 'updated', out);
    this.#times.write(rows.committedMicros, out);
    out.byte(COMMA);
    this.#text(stored, ROW_TEXT.entityId, out);
    this.#word(8, modifier, () => stored.modifier.kind ?? '', out);
    this.#word(9, rows.rung, () => stored.modifier.rung, out);
    this.#word(10, rows.tenantId, () => stored.tenant ?? '', out);
    this.#word(11, rows.relationId, () => stored.table, out);
    out.text(lsnText(rows.lsnHigh, rows.lsnLow));
    out.byte(COMMA);
    out.integer(rows.xid);
    out.byte(COMMA);
    out.integer(rows.seq);
    out.byte(COMMA);
    out.byte(COMMA);
    out.byte(COMMA);
    out.byte(COMMA);
    this.#times.writeOffset(rows.committedMicros, out);
  }

  #word(column: number, number: number, text: () => string, out: ByteWriter): void {
    out.piece(this.#words[column]!.piece(number, text));
    out.byte(COMMA);
  }

  #text({ rows }: StoredRows, field: RowText, out: ByteWriter): void {
    const length = rows.lengthOf(field);
    if (length > 0) {
      const start = rows.startOf(field);
      if (!copyPlain(CSV_FIELD, { bytes: rows.bytes, start, end: start + length }, out))
        out.text(csvField(rows.text(field)!));
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
    const fields = REPORT_COLUMNS.map(({ kind, text }) => {
      if (kind === 'date') return csvField(this.#clock.rfc3339(text(entry)));
      return csvField(kind === 'offset' ? this.#clock.offset(text(entry)) : text(entry));
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
