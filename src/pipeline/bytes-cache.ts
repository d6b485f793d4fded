import { LastView } from '../pg/byte-loops.js';
import { keyText } from '../pg/text.js';
import type { Tuple } from '../pgoutput/tuple.js';

/** Number of cells: a power of two. Each pair of cells holds the two keys that were put there last. */
const CELLS = 16384;
/** Longest key that is held. A UUID has 36 bytes. */
const MAX_BYTES = 40;
const WORD = 4;
// A cell has the number, the length of the key plus one (0: empty cell), and the key. Cells begin as zeros,
// because memory that was never written to costs nothing. Short keys have smaller cells, close together,
// because most keys are short.
const AT_LENGTH = 1;
const AT_KEY = 2;
const CELL_WORDS = AT_KEY + MAX_BYTES / WORD;
const SHORT_CELL_WORDS = AT_KEY + 1;
/** Factor of multiplicative hashing: 2^32 divided by the golden ratio. */
const FACTOR = 0x9e3779b1;
const PAIR_SHIFT = 33 - Math.log2(CELLS);

/**
 * Cache of the numbers of keys that were seen recently, found by their bytes. Modifiers and tenants repeat,
 * and a string and a map lookup for each row would cost more than the rest of its entry. Keys are read in
 * words of four bytes, because most are small numbers, which fit in one word.
 */
export class BytesCache {
  readonly #cells = new Int32Array(CELLS * CELL_WORDS);
  /** Cells for keys of one word. */
  readonly #shortCells = new Int32Array(CELLS * SHORT_CELL_WORDS);
  readonly #views = new LastView();
  /** The key that is looked up, if it is longer than one word. */
  readonly #key = new Int32Array(MAX_BYTES / WORD);

  /** Returns the number of a column's bytes. If it is not in the cache, `find` finds it from their text. */
  get(row: Tuple, column: number, find: (text: string) => number): number {
    const { bytes } = row;
    const start = row.offsets[column]!;
    const length = row.lengths[column]!;
    if (length > MAX_BYTES || row.isOpaque(column)) return find(row.text(column)!);
    const view = this.#views.of(bytes);
    if (length > WORD || length === 0) return this.#long(row, column, find);
    const word = shortKey(view, start, length);
    const cells = this.#shortCells;
    const cell = pairOf(mixed(length, word)) * SHORT_CELL_WORDS;
    const found = length + 1;
    if (cells[cell + AT_KEY] === word && cells[cell + AT_LENGTH] === found) return cells[cell]!;
    const other = cell + SHORT_CELL_WORDS;
    if (cells[other + AT_KEY] === word && cells[other + AT_LENGTH] === found) return cells[other]!;
    const value = find(keyText(bytes, start, length));
    cells.copyWithin(other, cell, other);
    cells[cell] = value;
    cells[cell + AT_LENGTH] = found;
    cells[cell + AT_KEY] = word;
    return value;
  }

  clear(): void {
    this.#cells.fill(0);
    this.#shortCells.fill(0);
  }

  #long(row: Tuple, column: number, find: (text: string) => number): number {
    const { bytes } = row;
    const start = row.offsets[column]!;
    const length = row.lengths[column]!;
    const words = this.#take(this.#views.of(bytes), start, length);
    const cells = this.#cells;
    let hash = length;
    for (let word = 0; word < words; word++) hash = mixed(hash, this.#key[word]!);
    const cell = pairOf(hash) * CELL_WORDS;
    if (this.#holds(cell, words, length)) return cells[cell]!;
    const other = cell + CELL_WORDS;
    if (this.#holds(other, words, length)) return cells[other]!;
    const value = find(keyText(bytes, start, length));
    // `find` may have looked up another key in this cache, so the key is read again.
    this.#take(this.#views.of(bytes), start, length);
    cells.copyWithin(other, cell, other);
    cells.set(this.#key.subarray(0, words), cell + AT_KEY);
    cells[cell] = value;
    cells[cell + AT_LENGTH] = length + 1;
    return value;
  }

  /** Reads the words of a key and returns their number. The last word may overlap the one before. */
  #take(view: DataView, start: number, length: number): number {
    if (length === 0) return 0;
    const key = this.#key;
    const last = start + length - WORD;
    let words = 0;
    for (let at = start; at < last; at += WORD) key[words++] = view.getInt32(at, true);
    key[words++] = view.getInt32(last, true);
    return words;
  }

  #holds(cell: number, words: number, length: number): boolean {
    const cells = this.#cells;
    const key = this.#key;
    if (cells[cell + AT_LENGTH] !== length + 1) return false;
    for (let word = 0; word < words; word++) if (cells[cell + AT_KEY + word] !== key[word]) return false;
    return true;
  }
}

/**
 * Returns a key of one to four bytes as a word. It is read in one step together with the bytes before it,
 * which are shifted out.
 */
function shortKey(view: DataView, start: number, length: number): number {
  const at = start + length - WORD;
  // In a message, the length of a value precedes it, so this happens only elsewhere.
  if (at < 0) return wordAtBeginning(view, start, length);
  return (view.getInt32(at, true) >>> ((WORD - length) * 8)) | 0;
}

function wordAtBeginning(view: DataView, start: number, length: number): number {
  let word = 0;
  for (let index = 0; index < length; index++) word |= view.getUint8(start + index) << (index * 8);
  return word;
}

function mixed(hash: number, word: number): number {
  const product = Math.imul(hash ^ word, FACTOR);
  return product ^ (product >>> 15);
}

/**
 * Returns the number of the first cell of a pair. The upper bits are used, because every bit of the key
 * affects them.
 */
const pairOf = (hash: number): number => (Math.imul(hash, FACTOR) >>> PAIR_SHIFT) * 2;
