/**
 * Number of bytes of a piece that are copied at a time. The memory of a piece is padded to a multiple of it.
 * The bytes are copied as floating point numbers, which a DataView leaves unchanged unless they are NaN.
 * Eight bytes of UTF-8 never are a NaN: the last two would have to be 0xF0 to 0xFF before 0x7F or 0xFF. The
 * first of these would begin a character that the second cannot continue.
 */
export const WORD = 8;

/** Bytes that are written repeatedly. They are padded, so that whole words can be copied. */
export class Piece {
  static readonly EMPTY = new Piece('');

  readonly length: number;
  readonly bytes: Uint8Array;
  /** View of the bytes and their padding. */
  readonly view: DataView;

  constructor(text: string) {
    this.length = Buffer.byteLength(text);
    const padded = new ArrayBuffer(Math.ceil(this.length / WORD) * WORD);
    this.bytes = new Uint8Array(padded, 0, this.length);
    this.bytes.set(Buffer.from(text));
    this.view = new DataView(padded);
  }
}
