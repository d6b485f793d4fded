import type { Tuple } from '../pgoutput/tuple.js';

const MAX_BYTES = 64;

/**
 * The number that the same bytes led to last time. Rows of one transaction mostly have one modifier and one tenant, so
 * remembering a single value saves a string and a map for nearly every row.
 */
export class BytesCache {
  readonly #bytes = Buffer.alloc(MAX_BYTES);
  #length = -1;
  #value = 0;

  /** The number for the column's bytes, found by `find` from their text where they are not those of the last call. */
  get(row: Tuple, column: number, find: (text: string) => number): number {
    const { bytes } = row;
    const start = row.offsets[column]!;
    const length = row.lengths[column]!;
    if (length === this.#length && this.#same(bytes, start)) return this.#value;
    const value = find(bytes.toString('utf8', start, start + length));
    this.#length = -1;
    if (length <= MAX_BYTES) {
      bytes.copy(this.#bytes, 0, start, start + length);
      this.#length = length;
      this.#value = value;
    }
    return value;
  }

  clear(): void {
    this.#length = -1;
  }

  #same(bytes: Buffer, start: number): boolean {
    for (let index = 0; index < this.#length; index++)
      if (this.#bytes[index] !== bytes[start + index]) return false;
    return true;
  }
}
