import type { StoredColumn } from '../trail/read/dictionaries.js';
import type { StoredRows } from '../trail/read/row-batch.js';
import { StoredFields } from '../trail/read/stored-fields.js';
import type { ByteWriter } from './byte-writer.js';
import { columnText, largeText, MOST_LIKE_NOTHING, NOT_SENT, valueLine } from './columns.js';
import type { ZoneClock } from './dates.js';
import { mayBeDecoded } from './decoded.js';
import { JsonBytes } from './json-bytes.js';
import { Piece } from './piece.js';
import { PrintedTimes } from './printed-times.js';
import { booleanOf, KeptByValue, storedKind, type StoredKind } from './stored-kinds.js';
import { copyText, type TextForm } from './text-form.js';

const LINE_FEED = 0x0a;
const SPACE = 0x20;
const QUOTE = 0x22;
const BRACKET = 0x28;
const CLOSING_BRACKET = 0x29;
const BACKSLASH = 0x5c;

/**
 * Notes about a column, as bytes of the format: its name with a colon, and lines of values that have labels.
 */
interface Notes {
  readonly prefix: Piece;
  /** True if the name begins with white space, which has to be preserved. */
  readonly hasEdge: boolean;
  readonly kind: StoredKind;
  readonly lines: KeptByValue<Line>;
}

interface Line {
  readonly piece: Piece;
  readonly endsInEdge: boolean;
}

/**
 * Writes the lines of a cell of values, `column: value` each, from the bytes of a row. columns.ts defines the
 * text of a line. Most values are written without becoming a string.
 */
export class ValueLines {
  readonly #form: TextForm;
  readonly #clock: ZoneClock;
  readonly #times: PrintedTimes;
  readonly #json: JsonBytes;
  readonly #fields: StoredFields<Notes>;
  readonly #null: Piece;
  readonly #empty: Piece;
  readonly #true: Piece;
  readonly #false: Piece;
  readonly #open: Piece;
  readonly #close: Piece;
  /** Fields of the previous side with unknown values, in order. */
  #unknownBefore: readonly number[] = [];
  #lines = 0;
  #hasEdge = false;
  #endsInEdge = false;

  constructor(form: TextForm, clock: ZoneClock) {
    this.#form = form;
    this.#clock = clock;
    this.#times = new PrintedTimes(clock);
    this.#json = new JsonBytes(form);
    this.#fields = new StoredFields((column) => this.#notesOf(column));
    this.#null = this.#bytes(valueLine({ kind: 'null', text: '' }, clock));
    this.#empty = this.#bytes(valueLine({ kind: 'text', text: '' }, clock));
    this.#true = this.#bytes('true');
    this.#false = this.#bytes('false');
    this.#open = this.#bytes(' (');
    this.#close = this.#bytes(')');
  }

  /** True if the last written text begins or ends with white space, which has to be preserved. */
  get hasEdge(): boolean {
    return this.#hasEdge || this.#endsInEdge;
  }

  /**
   * Writes one side of the present row of the batch. The previous side has to be written first. Returns the
   * number of lines.
   */
  write(batch: StoredRows, side: 'previous' | 'updated', out: ByteWriter): number {
    const fields = this.#fields;
    const before = side === 'updated' ? this.#unknownBefore : NONE;
    this.#lines = 0;
    this.#hasEdge = false;
    this.#endsInEdge = false;
    this.#unknownBefore = NONE;
    if (!fields.begin(batch, side)) return 0;
    let unknown: Map<number, string> | undefined;
    while (fields.next()) {
      if (fields.kind === 'unknown') (unknown ??= new Map()).set(fields.index, NOT_SENT);
      else if (fields.kind === 'large')
        (unknown ??= new Map()).set(fields.index, largeText(fields.large.bytes));
      else {
        const { notes } = fields.column;
        this.#begin(notes, out);
        this.#endsInEdge = false;
        if (fields.kind === 'null') out.piece(this.#null);
        else if (fields.kind !== 'text' || !this.#wrote(notes, out)) this.#decoded(out);
      }
    }
    if (unknown !== undefined) this.#writeUnknown(unknown, before, out);
    if (side === 'previous' && unknown !== undefined) this.#unknownBefore = [...unknown.keys()];
    return this.#lines;
  }

  /** Writes the columns with unknown values. Those unknown before the change come first, as in an entry. */
  #writeUnknown(unknown: ReadonlyMap<number, string>, before: readonly number[], out: ByteWriter): void {
    const first = before.filter((index) => unknown.has(index));
    const rest = [...unknown.keys()].filter((index) => !first.includes(index));
    for (const index of [...first, ...rest]) {
      this.#begin(this.#fields.columnAt(index).notes, out);
      out.text(this.#form.encode(unknown.get(index)!));
      this.#endsInEdge = false;
    }
  }

  #begin({ prefix, hasEdge }: Notes, out: ByteWriter): void {
    if (this.#lines++ === 0) this.#hasEdge = hasEdge;
    else out.byte(LINE_FEED);
    out.piece(prefix);
  }

  /** Writes the text of a field. Returns false, with nothing written, if the field has to be decoded. */
  #wrote({ kind, lines }: Notes, out: ByteWriter): boolean {
    const { bytes, start, end } = this.#fields;
    switch (kind) {
      case 'boolean': {
        const value = booleanOf(bytes, start, end);
        if (value === undefined) return false;
        out.piece(value ? this.#true : this.#false);
        return true;
      }
      case 'json':
        return this.#json.write(bytes, start, end, out);
      case 'instant':
        return this.#wroteInstant(out);
      case 'labelled': {
        const { piece, endsInEdge } = lines.of(this.#fields, () => this.#line());
        this.#endsInEdge = endsInEdge;
        out.piece(piece);
        return true;
      }
      case 'number':
      case 'text':
        if (start === end) out.piece(this.#empty);
        else if (mayReadLikeNothing(bytes, start, end) || !copyText(this.#form, bytes, start, end, out))
          return false;
        else this.#endsInEdge = bytes[end - 1]! <= SPACE;
        return true;
      default:
        return kind satisfies never;
    }
  }

  #wroteInstant(out: ByteWriter): boolean {
    const { bytes, start, end } = this.#fields;
    const shown = this.#times.write(bytes, start, end, out);
    if (shown === 'unknown') return false;
    if (shown === 'clock') out.piece(this.#open);
    // Digits and punctuation need no escape after a digit or a bracket.
    out.range(bytes, start, end);
    if (shown === 'clock') out.piece(this.#close);
    return true;
  }

  #decoded(out: ByteWriter): void {
    mayBeDecoded(this.#fields.end - this.#fields.start);
    const { piece, endsInEdge } = this.#line();
    this.#endsInEdge = endsInEdge;
    out.piece(piece);
  }

  #line(): Line {
    const text = valueLine(this.#fields.value, this.#clock);
    return { piece: this.#bytes(text), endsInEdge: text.charCodeAt(text.length - 1) <= SPACE };
  }

  #notesOf(column: StoredColumn): Notes {
    const prefix = `${columnText(column.name)}: `;
    return {
      prefix: this.#bytes(prefix),
      hasEdge: prefix.charCodeAt(0) <= SPACE,
      kind: storedKind(column),
      lines: new KeptByValue(),
    };
  }

  #bytes(text: string): Piece {
    return new Piece(this.#form.encode(text));
  }
}

const NONE: readonly number[] = [];

/**
 * Whether a text may have to be quoted, because it reads like a word for no value. columns.ts decides; a
 * text with other edges needs no look.
 */
function mayReadLikeNothing(bytes: Uint8Array, start: number, end: number): boolean {
  const first = bytes[start]!;
  if (first !== BRACKET && first !== QUOTE && first !== BACKSLASH) return false;
  if (end - start > MOST_LIKE_NOTHING) return false;
  const last = bytes[end - 1]!;
  return last === CLOSING_BRACKET || last === QUOTE || last === BACKSLASH;
}
