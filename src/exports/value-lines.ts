import type { StoredColumn } from '../trail/read/dictionaries.js';
import type { StoredRows } from '../trail/read/row-batch.js';
import { StoredFields } from '../trail/read/stored-fields.js';
import { kindOfType } from '../trail/read/decode.js';
import type { ByteWriter } from './byte-writer.js';
import { columnText, largeText, NOT_SENT, valueLine } from './columns.js';
import { mayBeDecoded } from './decoded.js';
import { copyPlain, type TextForm } from './text-form.js';

const LINE_FEED = 0x0a;
const SPACE = 0x20;
const LETTER_T = 0x74;
const LETTER_F = 0x66;
/** Values of a column whose lines are kept, where labels make them texts of their own. */
const MOST_LINES = 1_000;
const MOST_LENGTH = 64;

/** Of a column: its name with a colon, and lines of values that have labels, as bytes of the format. */
interface Notes {
  readonly prefix: Uint8Array;
  /** Whether white space that counts stands first in the name. */
  readonly hasEdge: boolean;
  readonly kind: 'plain' | 'boolean' | 'decoded' | 'labelled' | 'lookup';
  readonly lines: Map<string, Uint8Array>;
}

/**
 * Writes the lines of a cell of values, `column: value` each, from the bytes of a row. What a line says is
 * said by columns.ts; values that stay as they are in the format are copied without becoming a string.
 */
export class ValueLines {
  readonly #form: TextForm;
  readonly #fields: StoredFields<Notes>;
  readonly #null: Uint8Array;
  readonly #empty: Uint8Array;
  readonly #true: Uint8Array;
  readonly #false: Uint8Array;
  /** Fields of the side before whose values are not known, in order. */
  #unknownBefore: readonly number[] = [];
  #lines = 0;
  #hasEdge = false;
  #endsInEdge = false;

  constructor(form: TextForm) {
    this.#form = form;
    this.#fields = new StoredFields((column) => this.#notesOf(column));
    this.#null = this.#bytes(valueLine({ kind: 'null', text: '' }));
    this.#empty = this.#bytes(valueLine({ kind: 'text', text: '' }));
    this.#true = this.#bytes('true');
    this.#false = this.#bytes('false');
  }

  /** Whether white space that counts stands first or last in what was written last. */
  get hasEdge(): boolean {
    return this.#hasEdge || this.#endsInEdge;
  }

  /** Writes a side of the row that the batch is at, the previous one first. Returns the number of lines. */
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
        this.#begin(fields.column.notes, out);
        this.#value(out);
      }
    }
    if (unknown !== undefined) this.#writeUnknown(unknown, before, out);
    if (side === 'previous' && unknown !== undefined) this.#unknownBefore = [...unknown.keys()];
    return this.#lines;
  }

  /** Columns that were unknown before the change come first, as they do in an entry. */
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

  #value(out: ByteWriter): void {
    const fields = this.#fields;
    const { kind, start, end, bytes } = fields;
    this.#endsInEdge = false;
    if (kind === 'null') return out.piece(this.#null);
    const { notes } = fields.column;
    if (kind === 'text')
      switch (notes.kind) {
        case 'boolean':
          if (end - start !== 1 || (bytes[start] !== LETTER_T && bytes[start] !== LETTER_F)) break;
          return out.piece(bytes[start] === LETTER_T ? this.#true : this.#false);
        case 'labelled':
        case 'lookup':
          return this.#labelled(notes, out);
        case 'plain':
          if (start === end) return out.piece(this.#empty);
          if (!copyPlain(this.#form, fields, out)) break;
          this.#endsInEdge = bytes[end - 1]! <= SPACE;
          return;
        case 'decoded':
      }
    this.#decoded(out);
  }

  #decoded(out: ByteWriter): void {
    mayBeDecoded(this.#fields.end - this.#fields.start);
    const line = valueLine(this.#fields.value);
    this.#endsInEdge = line.charCodeAt(line.length - 1) <= SPACE;
    out.text(this.#form.encode(line));
  }

  #labelled({ kind, lines }: Notes, out: ByteWriter): void {
    const fields = this.#fields;
    if (fields.end - fields.start > MOST_LENGTH) return this.#decoded(out);
    const name = kind === 'lookup' ? fields.lookupName : null;
    const key = name === null ? fields.text : `${fields.text}\x1f${name}`;
    let line = lines.get(key);
    if (line === undefined) {
      const text = valueLine(fields.value);
      if (text.charCodeAt(text.length - 1) <= SPACE) return this.#decoded(out);
      if (lines.size >= MOST_LINES) lines.clear();
      lines.set(key, (line = this.#bytes(text)));
    }
    out.piece(line);
  }

  #notesOf(column: StoredColumn): Notes {
    const prefix = `${columnText(column.name)}: `;
    const kind = kindOfType(column.type);
    return {
      prefix: this.#bytes(prefix),
      hasEdge: prefix.charCodeAt(0) <= SPACE,
      kind:
        column.label !== undefined
          ? 'lookup'
          : column.values !== undefined
            ? 'labelled'
            : kind === 'boolean'
              ? 'boolean'
              : kind === 'json'
                ? 'decoded'
                : 'plain',
      lines: new Map(),
    };
  }

  #bytes(text: string): Uint8Array {
    return Buffer.from(this.#form.encode(text));
  }
}

const NONE: readonly number[] = [];
