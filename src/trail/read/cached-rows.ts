import type { Query } from './plans.js';

/**
 * Rows of a dictionary that were read last, by their key. Whoever may emit messages can add rows, so they are
 * not all held: those that are used again and again are, and others are read when they are needed. A row
 * never changes once it is stored.
 */
export class CachedRows<Key, Row> {
  readonly #most: number;
  readonly #read: (query: Query, keys: readonly Key[]) => Promise<readonly (readonly [Key, Row])[]>;
  /** The least recently used first. */
  readonly #rows = new Map<Key, Row>();

  constructor(options: {
    /** Rows that are held at most. */
    readonly most: number;
    /** Reads the rows of keys; a key that has none is left out. */
    readonly read: (query: Query, keys: readonly Key[]) => Promise<readonly (readonly [Key, Row])[]>;
  }) {
    this.#most = options.most;
    this.#read = options.read;
  }

  /** Returns the rows of some keys. One statement reads what is not held. */
  async get(query: Query, keys: Iterable<Key>): Promise<ReadonlyMap<Key, Row>> {
    const found = new Map<Key, Row>();
    const missing: Key[] = [];
    for (const key of new Set(keys)) {
      const row = this.#rows.get(key);
      if (row === undefined) missing.push(key);
      else {
        found.set(key, row);
        this.#rows.delete(key);
        this.#rows.set(key, row);
      }
    }
    if (missing.length === 0) return found;
    for (const [key, row] of await this.#read(query, missing)) {
      found.set(key, row);
      this.#rows.set(key, row);
    }
    for (const oldest of this.#rows.keys()) {
      if (this.#rows.size <= this.#most) break;
      this.#rows.delete(oldest);
    }
    return found;
  }
}
