import { viewOf } from '../pg/byte-loops.js';
import { WORD, type Piece } from './piece.js';

const FIRST_BYTES = 512 * 1024;
const MOST_KEPT_BYTES = 4 * 1024 * 1024;
/** Largest lengths that a loop copies. A native call has a higher fixed cost. */
const MOST_OF_PIECE = 256;
const MOST_OF_RANGE = 48;
const MINUS = 0x2d;
/** Largest number of bytes that one UTF-16 unit takes in UTF-8. */
const MOST_OF_UNIT = 3;

/** Collects bytes, in two buffers that are reused in turn. */
export class ByteWriter {
  /** The buffer; its first {@link at} bytes were written. It is replaced when it is full. */
  bytes: Buffer;
  at = 0;
  #view: DataView;
  #other: Buffer | undefined;

  constructor(firstBytes = FIRST_BYTES) {
    this.bytes = Buffer.allocUnsafe(firstBytes);
    this.#view = viewOf(this.bytes);
  }

  /** Makes room for a number of bytes, which may then be written to {@link bytes} directly. */
  room(count: number): void {
    if (this.at + count <= this.bytes.length) return;
    const larger = Buffer.allocUnsafe(Math.max(2 * this.bytes.length, this.at + count));
    this.bytes.copy(larger, 0, 0, this.at);
    this.bytes = larger;
    this.#view = viewOf(larger);
  }

  piece(piece: Piece): void {
    const { length, view: from } = piece;
    // The last copied word may extend beyond the piece.
    this.room(length + WORD);
    const { at } = this;
    if (length <= MOST_OF_PIECE) {
      const to = this.#view;
      for (let index = 0; index < length; index += WORD)
        to.setFloat64(at + index, from.getFloat64(index, true), true);
    } else this.bytes.set(piece.bytes, at);
    this.at = at + length;
  }

  /** Writes a range of another buffer. */
  range(bytes: Uint8Array, start: number, end: number): void {
    const length = end - start;
    this.room(length);
    const { bytes: to, at } = this;
    if (length <= MOST_OF_RANGE)
      for (let index = 0; index < length; index++) to[at + index] = bytes[start + index]!;
    else to.set(bytes.subarray(start, end), at);
    this.at = at + length;
  }

  byte(byte: number): void {
    this.room(1);
    this.bytes[this.at++] = byte;
  }

  text(text: string): void {
    this.room(MOST_OF_UNIT * text.length);
    this.at += this.bytes.write(text, this.at);
  }

  /** Writes an integer in decimal digits. */
  integer(number: number): void {
    if (number < 0) this.byte(MINUS);
    const absolute = Math.abs(number);
    let digits = 1;
    for (let power = 10; power <= absolute; power *= 10) digits++;
    this.padded(absolute, digits);
  }

  /** Writes an integer of 0 or more with this number of digits, padded with zeros. */
  padded(number: number, digits: number): void {
    this.room(digits);
    let rest = number;
    for (let at = this.at + digits - 1; at >= this.at; at--) {
      const tenth = Math.floor(rest / 10);
      this.bytes[at] = 0x30 + (rest - tenth * 10);
      rest = tenth;
    }
    this.at += digits;
  }

  /** Writes an unsigned integer of 32 bits in upper-case hexadecimal digits. */
  hexadecimal(number: number): void {
    const digits = Math.max(1, Math.ceil((32 - Math.clz32(number)) / 4));
    this.room(digits);
    for (let shift = 4 * (digits - 1); shift >= 0; shift -= 4) {
      const digit = (number >>> shift) & 0xf;
      this.bytes[this.at++] = digit + (digit < 10 ? 0x30 : 0x37);
    }
  }

  /**
   * Returns the written bytes and continues in another buffer. Bytes that the call before returned are
   * overwritten from now on. Two buffers in turn cost less than new memory for each part of a file.
   */
  take(): Buffer {
    const taken = this.bytes.subarray(0, this.at);
    const next = this.#other ?? Buffer.allocUnsafe(FIRST_BYTES);
    // A large entry may have made the buffer large, which is then not kept.
    this.#other = this.bytes.length > MOST_KEPT_BYTES ? undefined : this.bytes;
    this.bytes = next;
    this.#view = viewOf(next);
    this.at = 0;
    return taken;
  }
}
