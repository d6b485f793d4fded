import { keyText } from '../pg/text.js';
import type { Tuple } from '../pgoutput/tuple.js';

/** A power of two. Values that share a cell push each other out. */
const CELLS = 16384;
/** An UUID has 36. */
const MAX_BYTES = 40;
const FNV_PRIME = 0x01000193;

/**
 * Numbers of the keys that were seen lately, found by their bytes: modifiers and tenants repeat, and a string
 * and a map for each row would cost more than the rest of its entry.
 */
export class BytesCache {
  readonly #keys = new Uint8Array(CELLS * MAX_BYTES);
  /** Length of the key in each cell, or -1. */
  readonly #lengths = new Int8Array(CELLS).fill(-1);
  readonly #values = new Int32Array(CELLS);

  /** The number for the column's bytes, found by `find` from their text where they are not in memory. */
  get(row: Tuple, column: number, find: (text: string) => number): number {
    const { bytes } = row;
    const start = row.offsets[column]!;
    const length = row.lengths[column]!;
    if (length > MAX_BYTES || row.isOpaque(column)) return find(row.text(column)!);
    const cell = cellOf(bytes, start, length);
    if (this.#lengths[cell] === length && this.#holds(cell, bytes, start)) return this.#values[cell]!;
    const value = find(keyText(bytes, start, length));
    this.#keys.set(bytes.subarray(start, start + length), cell * MAX_BYTES);
    this.#lengths[cell] = length;
    this.#values[cell] = value;
    return value;
  }

  clear(): void {
    this.#lengths.fill(-1);
  }

  #holds(cell: number, bytes: Buffer, start: number): boolean {
    const at = cell * MAX_BYTES;
    const keys = this.#keys;
    for (let index = 0, length = this.#lengths[cell]!; index < length; index++)
      if (keys[at + index] !== bytes[start + index]) return false;
    return true;
  }
}

/** FNV-1a, its upper half folded in. */
function cellOf(bytes: Buffer, start: number, length: number): number {
  let hash = 0x811c9dc5;
  for (let at = start, end = start + length; at < end; at++) hash = Math.imul(hash ^ bytes[at]!, FNV_PRIME);
  return (hash ^ (hash >>> 16)) & (CELLS - 1);
}
