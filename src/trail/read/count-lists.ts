import type { Add, Counting } from './count-entries.js';
import { idsOf, type Dimension } from './dimensions.js';
import { bucketsOf, readJoinedLists } from './lists.js';
import type { Places } from '../posting-lists.js';
import type { Snapshot } from './snapshot.js';

/** Rows of lists that are read in the time of one entry (7 us where entries lie apart); and what else a dimension of a chunk takes. */
const ROWS_PER_ENTRY = 6;
const ENTRIES_PER_DIMENSION = 6;

/** Counts what a filter finds in chunks by comparing it with the lists of each dimension; no entry is read. */
export class ListCounter {
  /** From so many entries of a chunk on this takes less time than reading them. */
  readonly fewest: number;
  readonly #snapshot: Snapshot;
  readonly #add: Add;
  /** Dimensions in which all entries of the filter have the same id, and that id. */
  readonly #fixed: (readonly [Dimension, number])[] = [];
  /** The others, and where their lists are. */
  readonly #listed: (readonly [Dimension, readonly number[]])[] = [];

  constructor(snapshot: Snapshot, { counting, add }: { readonly counting: Counting; readonly add: Add }) {
    this.#snapshot = snapshot;
    this.#add = add;
    for (const dimension of counting.dimensions) {
      const ids = idsOf(counting.filter, dimension);
      if (ids?.length === 1) this.#fixed.push([dimension, ids[0]!]);
      else this.#listed.push([dimension, bucketsOf(ids ?? knownIds(snapshot, dimension))]);
    }
    this.fewest = 0;
    for (const [, buckets] of this.#listed)
      this.fewest += ENTRIES_PER_DIMENSION + buckets.length / ROWS_PER_ENTRY;
  }

  /** @param found of each chunk all entries that the filter finds */
  async count(found: ReadonlyMap<number, Places>): Promise<void> {
    if (found.size === 0) return;
    for (const [dimension, id] of this.#fixed)
      for (const { count } of found.values()) this.#add(dimension, id, count);
    const chunks = [...found.keys()];
    for (const [dimension, buckets] of this.#listed) {
      for await (const rows of readJoinedLists(this.#snapshot, { dimension, buckets, chunks })) {
        for (const { chunk, lists } of rows)
          found.get(chunk)!.countIn(lists, (key, count) => {
            if (count > 0) this.#add(dimension, key, count);
          });
      }
    }
  }
}

/** Ids that entries may have; 0 is that of those without a tenant. */
const knownIds = ({ dictionaries }: Snapshot, dimension: Dimension): Iterable<number> =>
  dimension === 'modifiers' ? dictionaries.modifiers.keys() : [0, ...dictionaries[dimension].ids];
