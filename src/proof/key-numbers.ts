/** Counts of the keys of a dimension among some entries. */
export interface KeyCounts {
  /** Number of keys that were counted. */
  readonly total: number;
  countOf(key: number): number;
}

/**
 * Numbers the keys of a dimension from 0 in the order in which they arrive, and counts each. It is an open
 * hash table whose arrays are reused. With a Map, counting would take most of the time of a check.
 */
export class KeyNumbers implements KeyCounts {
  readonly #mask: number;
  /** The number of the key in each place of the table, plus one; 0: the place is free. */
  readonly #table: Int32Array;
  readonly #keys: Int32Array;
  readonly #counts: Int32Array;
  readonly #places: Int32Array;
  #length = 0;
  #total = 0;

  /** @param most the largest number of different keys, a power of two */
  constructor(most: number) {
    this.#mask = 2 * most - 1;
    this.#table = new Int32Array(2 * most);
    this.#keys = new Int32Array(most);
    this.#counts = new Int32Array(most);
    this.#places = new Int32Array(most);
  }

  /** Number of keys that were counted. */
  get total(): number {
    return this.#total;
  }

  /** Number of different keys. */
  get length(): number {
    return this.#length;
  }

  clear(): void {
    for (let number = 0; number < this.#length; number++) this.#table[this.#places[number]!] = 0;
    this.#length = 0;
    this.#total = 0;
  }

  /** Counts a key and returns its number. */
  add(key: number): number {
    this.#total++;
    const place = this.#placeOf(key);
    const found = this.#table[place]!;
    if (found !== 0) {
      this.#counts[found - 1]!++;
      return found - 1;
    }
    const number = this.#length++;
    this.#table[place] = number + 1;
    this.#keys[number] = key;
    this.#counts[number] = 1;
    this.#places[number] = place;
    return number;
  }

  /** Number of a key; -1 if it was not counted. */
  numberOf(key: number): number {
    return this.#table[this.#placeOf(key)]! - 1;
  }

  keyOf(number: number): number {
    return this.#keys[number]!;
  }

  /** The keys by their numbers. */
  keys(): number[] {
    return [...this.#keys.subarray(0, this.#length)];
  }

  /** Returns how often a key was counted. */
  countOf(key: number): number {
    const number = this.numberOf(key);
    return number < 0 ? 0 : this.#counts[number]!;
  }

  #placeOf(key: number): number {
    let place = (Math.imul(key, 0x9e3779b1) >>> 8) & this.#mask;
    for (let found: number; (found = this.#table[place]!) !== 0; place = (place + 1) & this.#mask)
      if (this.#keys[found - 1] === key) break;
    return place;
  }
}

/**
 * Counts the tenants of some entries: their present tenants, and the previous tenants of entries that moved.
 */
export class TenantCounts implements KeyCounts {
  readonly now: KeyNumbers;
  readonly before: KeyNumbers;

  /** @param most the largest number of entries, a power of two */
  constructor(most: number) {
    this.now = new KeyNumbers(most);
    this.before = new KeyNumbers(most);
  }

  get total(): number {
    return this.now.total + this.before.total;
  }

  countOf(key: number): number {
    return this.now.countOf(key) + this.before.countOf(key);
  }
}
