import { Piece } from './piece.js';

const ZERO = 0x30;
const TEN = 10;

/**
 * Keeps pieces of a file that contain the row number. They are created once. For the next row, only the
 * digits that differ are written.
 */
export class NumberedPieces {
  readonly #around: readonly { readonly before: string; readonly after: string }[];
  readonly #pieces: Piece[];
  /** Position of the last digit in each piece. */
  readonly #lastDigits: Int32Array;
  #number = -1;
  #digits = 0;

  constructor(around: readonly { readonly before: string; readonly after: string }[]) {
    this.#around = around;
    this.#pieces = around.map(() => Piece.EMPTY);
    this.#lastDigits = new Int32Array(around.length);
  }

  get number(): number {
    return this.#number;
  }

  /** Writes another number into all pieces. It must be 0 or greater. */
  goTo(number: number): void {
    let rest = number;
    let old = this.#number;
    const { length } = String(number);
    if (length !== this.#digits) {
      this.#make(number, length);
      return;
    }
    this.#number = number;
    for (let place = 0; rest !== old; place++) {
      const tenth = Math.floor(rest / TEN);
      const digit = ZERO + (rest - tenth * TEN);
      for (let index = 0; index < this.#pieces.length; index++)
        this.#pieces[index]!.bytes[this.#lastDigits[index]! - place] = digit;
      rest = tenth;
      old = Math.floor(old / TEN);
    }
  }

  /** Returns a piece, with the present number. */
  at(index: number): Piece {
    return this.#pieces[index]!;
  }

  #make(number: number, digits: number): void {
    this.#number = number;
    this.#digits = digits;
    this.#around.forEach(({ before, after }, index) => {
      this.#pieces[index] = new Piece(`${before}${number}${after}`);
      this.#lastDigits[index] = Buffer.byteLength(before) + digits - 1;
    });
  }
}
