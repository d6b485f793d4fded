import { LastView } from '../pg/byte-loops.js';
import { keyText } from '../pg/text.js';
import type { Tuple } from '../pgoutput/tuple.js';

/** A power of two. Of keys that share a pair of cells, those that were put there last are remembered. */
const CELLS = 16384;
/** An UUID has 36. */
const MAX_BYTES = 40;
const WORD = 4;
// A cell: the number, one more than the length of the key (0: none), and the key. Zeros, for memory that nobody
// has written to costs nothing.
const AT_LENGTH = 1;
const AT_KEY = 2;
const CELL_WORDS = AT_KEY + MAX_BYTES / WORD;
/** Of multiplicative hashing: 2^32 by the golden ratio. */
const FACTOR = 0x9e3779b1;
const PAIR_SHIFT = 33 - Math.log2(CELLS);

/**
 * Numbers of the keys that were seen lately, found by their bytes: modifiers and tenants repeat, and a string
 * and a map for each row would cost more than the rest of its entry. Keys are taken as words of four bytes,
 * for most are small numbers, which are one.
 */
export class BytesCache {
  readonly #cells = new Int32Array(CELLS * CELL_WORDS);
  readonly #views = new LastView();
  /** The key that is asked for. */
  readonly #key = new Int32Array(MAX_BYTES / WORD);

  /** The number for the column's bytes, found by `find` from their text where they are not in memory. */
  get(row: Tuple, column: number, find: (text: string) => number): number {
    const { bytes } = row;
    const start = row.offsets[column]!;
    const length = row.lengths[column]!;
    if (length > MAX_BYTES || row.isOpaque(column)) return find(row.text(column)!);
    const words = this.#take(this.#views.of(bytes), start, length);
    const cell = this.#cellOf(words, length);
    if (this.#holds(cell, words, length)) return this.#cells[cell]!;
    const other = cell + CELL_WORDS;
    if (this.#holds(other, words, length)) return this.#cells[other]!;
    const value = find(keyText(bytes, start, length));
    // Finding it may have asked for another.
    this.#take(this.#views.of(bytes), start, length);
    this.#cells.copyWithin(other, cell, other);
    this.#cells.set(this.#key.subarray(0, words), cell + AT_KEY);
    this.#cells[cell] = value;
    this.#cells[cell + AT_LENGTH] = length + 1;
    return value;
  }

  clear(): void {
    this.#cells.fill(0);
  }

  /** Reads the words of a key and returns how many they are. The last one overlaps the one before. */
  #take(view: DataView, start: number, length: number): number {
    const key = this.#key;
    if (length < WORD) {
      // The first, a middle and the last byte: a loop would be of another length for every key.
      key[0] =
        length === 0
          ? 0
          : view.getUint8(start) |
            (view.getUint8(start + (length >> 1)) << 8) |
            (view.getUint8(start + length - 1) << 16);
      return 1;
    }
    const last = start + length - WORD;
    let words = 0;
    for (let at = start; at < last; at += WORD) key[words++] = view.getInt32(at, true);
    key[words++] = view.getInt32(last, true);
    return words;
  }

  #cellOf(words: number, length: number): number {
    const key = this.#key;
    let hash = length;
    for (let word = 0; word < words; word++) {
      hash = Math.imul(hash ^ key[word]!, FACTOR);
      hash ^= hash >>> 15;
    }
    hash = Math.imul(hash, FACTOR);
    // The first of a pair, by the upper bits: each bit of the key has a part in them.
    return (hash >>> PAIR_SHIFT) * 2 * CELL_WORDS;
  }

  #holds(cell: number, words: number, length: number): boolean {
    const cells = this.#cells;
    const key = this.#key;
    if (cells[cell + AT_LENGTH] !== length + 1) return false;
    for (let word = 0; word < words; word++) if (cells[cell + AT_KEY + word] !== key[word]) return false;
    return true;
  }
}
