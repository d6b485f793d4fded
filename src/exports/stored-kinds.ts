import { ByteTable } from '../trail/read/byte-table.js';
import { kindOfType, TIMESTAMPTZ } from '../trail/read/decode.js';
import type { StoredColumn } from '../trail/read/dictionaries.js';
import type { StoredFields } from '../trail/read/stored-fields.js';
import { hasPartWords } from '../trail/read/value-parts.js';

/** The usual kind of a column's values. `labelled`: texts are shown instead of the values. */
export type StoredKind = 'text' | 'number' | 'boolean' | 'json' | 'instant' | 'labelled';

export function storedKind(column: StoredColumn): StoredKind {
  if (column.label !== undefined || column.values !== undefined || hasPartWords(column)) return 'labelled';
  return column.type === TIMESTAMPTZ ? 'instant' : kindOfType(column.type);
}

const LETTER_T = 0x74;
const LETTER_F = 0x66;

/** Returns the value of a stored boolean; undefined: it is another text, because it was masked. */
export function booleanOf(bytes: Uint8Array, start: number, end: number): boolean | undefined {
  if (end - start !== 1) return undefined;
  return bytes[start] === LETTER_T ? true : bytes[start] === LETTER_F ? false : undefined;
}

/** Largest number of values of a column that are kept, and the largest number of bytes of each. */
const MOST_VALUES = 5_000;
const MOST_LENGTH = 64;

/**
 * Keeps a result for each value that has a label. The result is computed again if the value's name in a
 * lookup table has changed.
 */
export class KeptByValue<Kept> {
  #values = new ByteTable();
  #kept: { readonly name: string | null; readonly is: Kept }[] = [];

  /** Returns the result that is kept for a field, or computes it. Results of long fields are not kept. */
  of(fields: StoredFields<unknown>, make: () => Kept): Kept {
    const { bytes, start, end } = fields;
    if (end - start > MOST_LENGTH) return make();
    const name = fields.lookupName;
    const number = this.#values.find(bytes, start, end);
    const known = number < 0 ? undefined : this.#kept[number]!;
    if (known?.name === name) return known.is;
    const is = make();
    if (number >= 0) this.#kept[number] = { name, is };
    else {
      if (this.#kept.length >= MOST_VALUES) {
        this.#values = new ByteTable();
        this.#kept = [];
      }
      this.#kept[this.#values.add(bytes, start, end)] = { name, is };
    }
    return is;
  }
}
