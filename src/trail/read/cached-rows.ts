import type { Query } from './plans.js';

/**
 * Rows of a dictionary that were read last, by their key. Whoever may emit messages can add rows, so they are
 * not all held: those that are used again and again are, and others are read when they are needed. A row
 * never changes once it is stored.
 *
 * In two halves, and not in the order of use: a Map in which each use takes a key out and puts it in again
 * makes a new table of itself all the time, and dead tables in the old space keep the newer ones, with their
 * rows, until a full collection.
 */
export class CachedRows<Key, Row> {
  readonly #half: number;
  readonly #read: (query: Query, keys: readonly Key[]) => Promise<readonly (readonly [Key, Row])[]>;
  /** Rows that were used since the older ones became older. Using one of them again changes nothing. */
  #recent = new Map<Key, Row>();
  /** Rows that were used before; those that are not used until the next turn are let go. */
  #older = new Map<Key, Row>();

  constructor(options: {
    /** Rows that are held at most. */
    readonly most: number;
    /** Reads the rows of keys; a key that has none is left out. */
    readonly read: (query: Query, keys: readonly Key[]) => Promise<readonly (readonly [Key, Row])[]>;
  }) {
    this.#half = Math.ceil(options.most / 2);
    this.#read = options.read;
  }

  /** Returns the rows of some keys. One statement reads what is not held. */
  async get(query: Query, keys: Iterable<Key>): Promise<ReadonlyMap<Key, Row>> {
    const found = new Map<Key, Row>();
    const missing: Key[] = [];
    for (const key of new Set(keys)) {
      const row = this.#held(key);
      if (row === undefined) missing.push(key);
      else found.set(key, row);
    }
    if (missing.length === 0) return found;
    for (const [key, row] of await this.#read(query, missing)) {
      found.set(key, row);
      this.#hold(key, row);
    }
    return found;
  }

  #held(key: Key): Row | undefined {
    const recent = this.#recent.get(key);
    if (recent !== undefined) return recent;
    const older = this.#older.get(key);
    if (older !== undefined) this.#hold(key, older);
    return older;
  }

  #hold(key: Key, row: Row): void {
    if (this.#recent.size >= this.#half) {
      this.#older = this.#recent;
      this.#recent = new Map();
    }
    this.#recent.set(key, row);
  }
}
