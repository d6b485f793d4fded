import type { Add, Counting } from './count-entries.js';
import { idsOf, type Dimension } from './dimensions.js';
import { readJoinedLists } from './lists.js';
import { BUCKETS, type Places } from './posting-lists.js';
import type { Snapshot } from './snapshot.js';

/** Rows of lists that are read in the time of one entry (7 us where entries lie apart); and what else a dimension of a chunk takes. */
const ROWS_PER_ENTRY = 6;
const ENTRIES_PER_DIMENSION = 6;

/** From so many entries of a chunk on, counting them in its lists takes less time than reading them. */
export function fewestInLists(snapshot: Snapshot, counting: Counting): number {
  let entries = 0;
  for (const dimension of counting.dimensions) {
    if (onlyId(counting, dimension) !== undefined) continue;
    const rows = Math.min(wantedKeys(snapshot, { counting, dimension }).length, BUCKETS);
    entries += ENTRIES_PER_DIMENSION + rows / ROWS_PER_ENTRY;
  }
  return entries;
}

/** Counts what was found in chunks by comparing it with the lists of each dimension; no entry is read. */
export async function countInLists(
  snapshot: Snapshot,
  options: {
    readonly counting: Counting;
    /** All of a chunk's entries that the filter finds. */
    readonly found: ReadonlyMap<number, Places>;
    readonly add: Add;
  },
): Promise<void> {
  const { counting, found, add } = options;
  if (found.size === 0) return;
  const chunks = [...found.keys()].sort((a, b) => a - b);
  for (const dimension of counting.dimensions) {
    const id = onlyId(counting, dimension);
    if (id !== undefined) {
      for (const { count } of found.values()) add(dimension, id, count);
      continue;
    }
    const keys = wantedKeys(snapshot, { counting, dimension });
    for await (const rows of readJoinedLists(snapshot, { dimension, keys, chunks })) {
      for (const { chunk, lists } of rows)
        found.get(chunk)!.countIn(lists, (key, count) => {
          if (count > 0) add(dimension, key, count);
        });
    }
  }
}

/** The one that all entries of the filter have. */
function onlyId({ filter }: Counting, dimension: Dimension): number | undefined {
  const ids = idsOf(filter, dimension);
  return ids?.length === 1 ? ids[0] : undefined;
}

/** Of the filter, or all that there are; 0 is that of entries without a tenant. */
function wantedKeys(
  { words }: Snapshot,
  { counting, dimension }: { readonly counting: Counting; readonly dimension: Dimension },
): readonly number[] {
  const ids = idsOf(counting.filter, dimension);
  if (ids !== null) return ids;
  return dimension === 'modifiers' ? [...words.modifiers.keys()] : [0, ...words[dimension].ids];
}
