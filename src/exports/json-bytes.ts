import type { ByteWriter } from './byte-writer.js';
import { Piece } from './piece.js';
import { ASK, copyText, GUARDED, NOTHING, type TextForm } from './text-form.js';

/** Largest number of nested levels, as in `trail/read/json-text.ts`. */
const MAX_DEPTH = 60;
const OBJECT = 1;
const LIST = 0;

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const MINUS = 0x2d;
const APOSTROPHE = 0x27;
const ZERO = 0x30;
const NINE = 0x39;
const COMMA = 0x2c;
const COLON = 0x3a;
const POINT = 0x2e;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;
const LETTER_U = 0x75;
const LETTER_E = 0x65;
const TO_LOWER = 0x20;
const FIRST_PRINTABLE = 0x20;
const HEX_BASE = 16;
/** The first six bits of the two halves of a surrogate pair. */
const HIGH = 0xd800 >> 10;
const LOW = 0xdc00 >> 10;

const WORDS: readonly Piece[] = ['true', 'false', 'null'].map((word) => new Piece(word));
/** Characters that may follow a backslash, except `u`. */
const ESCAPED = new Uint8Array(256);
for (const character of '"\\/bfnrt') ESCAPED[character.charCodeAt(0)] = 1;

/**
 * Checks JSON in the bytes of a value, and writes it in a format without the white space between tokens. The
 * result is that of `isAnswerable` and `compactJson`, but without creating a string. One object is used for
 * all values, because it holds the open objects and lists.
 */
export class JsonBytes {
  readonly #form: TextForm | null;
  readonly #quote: Piece;
  readonly #open = new Uint8Array(MAX_DEPTH);
  #bytes!: Uint8Array;
  #at = 0;
  #end = 0;
  #out!: ByteWriter;

  /** @param form the format; null: nothing is written */
  constructor(form: TextForm | null) {
    this.#form = form;
    this.#quote = new Piece(Buffer.from(form?.pieces[QUOTE] ?? [QUOTE]).toString());
  }

  /**
   * Writes a value. Returns false, with nothing written, if the bytes are not JSON that an answer may
   * contain, or cannot be written in this form.
   */
  write(bytes: Uint8Array, start: number, end: number, out: ByteWriter): boolean {
    this.#bytes = bytes;
    this.#at = start;
    this.#end = end;
    this.#out = out;
    const began = out.at;
    if (this.#value()) return true;
    out.at = began;
    return false;
  }

  #value(): boolean {
    const open = this.#open;
    let depth = 0;
    for (;;) {
      // A value begins here.
      const byte = this.#next();
      if (byte === OPEN_BRACE || byte === OPEN_BRACKET) {
        if (depth === MAX_DEPTH) return false;
        this.#structure(byte);
        open[depth++] = byte === OPEN_BRACE ? OBJECT : LIST;
        if (this.#next() !== (byte === OPEN_BRACE ? CLOSE_BRACE : CLOSE_BRACKET)) {
          if (byte === OPEN_BRACE && !this.#name()) return false;
          continue;
        }
      } else if (byte === QUOTE) {
        if (!this.#string()) return false;
      } else if (!(byte === MINUS || (byte >= ZERO && byte <= NINE) ? this.#number() : this.#word()))
        return false;
      // A value has ended, or an object or list is about to.
      for (;;) {
        const next = this.#next();
        if (depth === 0) return next === NOTHING;
        const inside = open[depth - 1];
        if (next === COMMA) {
          this.#structure(next);
          if (inside === OBJECT && !this.#name()) return false;
          break;
        }
        if (next !== (inside === OBJECT ? CLOSE_BRACE : CLOSE_BRACKET)) return false;
        this.#structure(next);
        depth--;
      }
    }
  }

  /**
   * Returns the next byte that is not white space; {@link NOTHING} at the end, and for a NUL, which is
   * invalid in JSON anyway.
   */
  #next(): number {
    const bytes = this.#bytes;
    let at = this.#at;
    while (at < this.#end && isSpace(bytes[at]!)) at++;
    this.#at = at;
    return at < this.#end ? bytes[at]! : NOTHING;
  }

  #structure(byte: number): void {
    this.#at++;
    if (this.#form !== null) this.#out.byte(byte);
  }

  #name(): boolean {
    if (this.#next() !== QUOTE || !this.#string() || this.#next() !== COLON) return false;
    this.#structure(COLON);
    return true;
  }

  #string(): boolean {
    const bytes = this.#bytes;
    const end = this.#end;
    const start = this.#at + 1;
    let at = start;
    for (;;) {
      while (at < end && bytes[at] !== QUOTE && bytes[at] !== BACKSLASH && bytes[at]! >= FIRST_PRINTABLE)
        at++;
      if (at >= end || bytes[at]! < FIRST_PRINTABLE) return false;
      if (bytes[at] === QUOTE) break;
      const length = this.#escapeAt(at);
      if (length === 0) return false;
      at += length;
    }
    this.#at = at + 1;
    if (this.#form === null) return true;
    this.#out.piece(this.#quote);
    // The closing quote is passed as part of the text.
    if (!copyText(this.#form, bytes, start, at, this.#out, at + 1)) return false;
    this.#out.piece(this.#quote);
    return true;
  }

  /** Returns the length of an escape; 0: it is not valid, or is half of a surrogate pair. */
  #escapeAt(at: number): number {
    const bytes = this.#bytes;
    if (at + 1 >= this.#end) return 0;
    if (bytes[at + 1] !== LETTER_U) return ESCAPED[bytes[at + 1]!] === 1 ? 2 : 0;
    const unit = this.#unitAt(at + 2);
    if (unit < 0 || unit >> 10 === LOW) return 0;
    if (unit >> 10 !== HIGH) return 6;
    const isPair =
      at + 7 < this.#end &&
      bytes[at + 6] === BACKSLASH &&
      bytes[at + 7] === LETTER_U &&
      this.#unitAt(at + 8) >> 10 === LOW;
    return isPair ? 12 : 0;
  }

  /** Returns the value of four hexadecimal digits; -1: there are other bytes. */
  #unitAt(at: number): number {
    if (at + 4 > this.#end) return -1;
    let unit = 0;
    for (let index = at; index < at + 4; index++) {
      const digit = hexDigit(this.#bytes[index]!);
      if (digit < 0) return -1;
      unit = unit * HEX_BASE + digit;
    }
    return unit;
  }

  #number(): boolean {
    const bytes = this.#bytes;
    const start = this.#at;
    let at = bytes[start] === MINUS ? start + 1 : start;
    const first = at;
    at = this.#digits(at);
    if (at === first || (bytes[first] === ZERO && at > first + 1)) return false;
    const isInteger = !(at + 1 < this.#end && bytes[at] === POINT && isDigit(bytes[at + 1]!));
    if (!isInteger) at = this.#digits(at + 1);
    const plainEnd = at;
    if (at < this.#end && (bytes[at]! | TO_LOWER) === LETTER_E) {
      let digits = at + 1;
      if (bytes[digits] === MINUS || bytes[digits] === 0x2b) digits++;
      const after = this.#digits(digits);
      if (after > digits) at = after;
    }
    this.#at = at;
    if (this.#form === null) return true;
    const out = this.#out;
    if (bytes[start] === MINUS && this.#isGuarded(plainEnd)) out.byte(APOSTROPHE);
    out.range(bytes, start, at);
    return true;
  }

  /**
   * True if the format takes a minus here for the start of a formula. Examines the written text, which has no
   * white space after the number.
   */
  #isGuarded(plainEnd: number): boolean {
    const form = this.#form!;
    if (form.classes[MINUS] !== ASK) return false;
    const { bytes, at } = this.#out;
    if (form.ask(MINUS_X, 0, 2, at === 0 ? NOTHING : bytes[at - 1]!) !== GUARDED) return false;
    // A plain number with nothing after it is not a formula.
    return plainEnd !== this.#at || this.#next() !== NOTHING;
  }

  #digits(from: number): number {
    let at = from;
    while (at < this.#end && isDigit(this.#bytes[at]!)) at++;
    return at;
  }

  #word(): boolean {
    const at = this.#at;
    for (const word of WORDS) {
      if (this.#bytes[at] !== word.bytes[0]) continue;
      for (let index = 0; index < word.length; index++)
        if (at + index >= this.#end || this.#bytes[at + index] !== word.bytes[index]) return false;
      this.#at += word.length;
      if (this.#form !== null) this.#out.piece(word);
      return true;
    }
    return false;
  }
}

/** A minus that does not begin a number. */
const MINUS_X = Buffer.from('-x');

const isDigit = (byte: number): boolean => byte >= ZERO && byte <= NINE;
const isSpace = (byte: number): boolean => byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09;

function hexDigit(byte: number): number {
  if (isDigit(byte)) return byte - ZERO;
  const letter = byte | TO_LOWER;
  return letter >= 0x61 && letter <= 0x66 ? letter - 0x61 + 10 : -1;
}
