import { Piece } from './piece.js';

const ZERO = 0x30;
const TEN = 10;

/**
 * Pieces of a file in each of which the number of the row stands: they are made once, and of the next row
 * only the digits that differ are written.
 */
export class NumberedPieces {
  readonly #around: readonly { readonly before: string; readonly behind: string }[];
  readonly #pieces: Piece[];
  /** Where the last digit of each piece stands. */
  readonly #lastDigits: Int32Array;
  #number = -1;
  #digits = 0;

  constructor(around: readonly { readonly before: string; readonly behind: string }[]) {
    this.#around = around;
    this.#pieces = around.map(() => Piece.EMPTY);
    this.#lastDigits = new Int32Array(around.length);
  }

  get number(): number {
    return this.#number;
  }

  /** Writes another number, from 0 on, into all pieces. */
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

  /** The piece with the number. */
  at(index: number): Piece {
    return this.#pieces[index]!;
  }

  #make(number: number, digits: number): void {
    this.#number = number;
    this.#digits = digits;
    this.#around.forEach(({ before, behind }, index) => {
      this.#pieces[index] = new Piece(`${before}${number}${behind}`);
      this.#lastDigits[index] = Buffer.byteLength(before) + digits - 1;
    });
  }
}
