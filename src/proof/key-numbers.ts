/** How often each key of a dimension occurs among some entries. */
export interface KeyCounts {
  /** Number of keys that were counted. */
  readonly total: number;
  countOf(key: number): number;
}

/**
 * Numbers the keys of a dimension from 0 in the order in which they come, and counts each. An open hash table
 * whose arrays are used again: with a Map, counting would take most of a check.
 */
export class KeyNumbers implements KeyCounts {
  readonly #mask: number;
  /** Number of the key in a place of the table, plus one; 0: the place is free. */
  readonly #table: Int32Array;
  readonly #keys: Int32Array;
  readonly #counts: Int32Array;
  readonly #places: Int32Array;
  #length = 0;
  #total = 0;

  /** @param most number of different keys at most, a power of two */
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

  /** Counts a key, and returns its number. */
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

  /** How often a key was counted. */
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

/** The tenants of some entries: those of now, and the ones before of the entries that moved. */
export class TenantCounts implements KeyCounts {
  readonly now: KeyNumbers;
  readonly before: KeyNumbers;

  /** @param most number of entries at most, a power of two */
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
