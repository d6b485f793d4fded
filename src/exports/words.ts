/** Numbers whose pieces are kept at most. */
const MOST_KEPT = 20_000;

/**
 * Pieces of a file that repeat, by the number that the trail has for what they say: each is encoded once. A
 * piece may be empty.
 */
export class Words {
  readonly #encode: (text: string) => Uint8Array;
  readonly #pieces = new Map<number, Uint8Array>();

  constructor(encode: (text: string) => Uint8Array) {
    this.#encode = encode;
  }

  /** Returns the piece of a number; `text` is asked for what is not kept. */
  piece(number: number, text: () => string): Uint8Array {
    let piece = this.#pieces.get(number);
    if (piece === undefined) {
      if (this.#pieces.size >= MOST_KEPT) this.#pieces.clear();
      this.#pieces.set(number, (piece = this.#encode(text())));
    }
    return piece;
  }
}
