/**
 * Bytes of a piece that are copied at a time; behind its end is room for as many. They are copied as floating
 * point numbers, which a DataView leaves as they are unless they are NaN. Eight bytes of UTF-8 never are: the
 * last two would have to be 0xF0 to 0xFF before 0x7F or 0xFF, and the first of these begins a character that
 * the second cannot continue.
 */
export const WORD = 8;

/** Bytes that are written again and again, with room behind them so that whole words can be copied. */
export class Piece {
  static readonly EMPTY = new Piece('');

  readonly length: number;
  readonly bytes: Uint8Array;
  /** Of the bytes, and of the room behind them up to a whole word. */
  readonly view: DataView;

  constructor(text: string) {
    this.length = Buffer.byteLength(text);
    const padded = new ArrayBuffer(Math.ceil(this.length / WORD) * WORD);
    this.bytes = new Uint8Array(padded, 0, this.length);
    this.bytes.set(Buffer.from(text));
    this.view = new DataView(padded);
  }
}
