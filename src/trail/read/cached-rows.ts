import type { Query } from './plans.js';

/**
 * Cache of dictionary rows, by key. Clients that may emit messages can add rows without limit, so the cache
 * holds only rows in frequent use. Others are read when they are needed. A stored row never changes.
 *
 * The cache has two halves instead of an order of use. If each use deleted a key from a Map and added it
 * again, the engine would rebuild the Map's hash table all the time. Dead tables in the old space would then
 * keep newer ones, with their rows, until a full garbage collection.
 */
export class CachedRows<Key, Row> {
  readonly #half: number;
  readonly #read: (query: Query, keys: readonly Key[]) => Promise<readonly (readonly [Key, Row])[]>;
  /** Rows that were used since the halves last changed roles. Using one of them again changes nothing. */
  #recent = new Map<Key, Row>();
  /** Rows that were used before that. Those that are not used again are dropped at the next change. */
  #older = new Map<Key, Row>();

  constructor(options: {
    /** Largest number of rows that are held. */
    readonly most: number;
    /** Reads the rows of keys. A key without a row is left out. */
    readonly read: (query: Query, keys: readonly Key[]) => Promise<readonly (readonly [Key, Row])[]>;
  }) {
    this.#half = Math.ceil(options.most / 2);
    this.#read = options.read;
  }

  /** Returns the rows of some keys. One statement reads all rows that are not held. */
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
