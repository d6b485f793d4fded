import { CandidateFinder, idsInPortions, type Candidates, type WantedLists } from './candidates.js';
import { chunksInRange } from './chunks.js';
import { noCounts, type Counting, type DimensionCounts } from './counts.js';
import { COLUMNS, idsOf, type Dimension } from './dimensions.js';
import { isKnownToLists } from './filter.js';
import type { IdRange } from './ids.js';
import { bucketsOf, readJoinedLists } from './lists.js';
import type { Places } from '../posting-lists.js';
import type { Snapshot } from './snapshot.js';

/** Number of complete chunks for which candidates are found together. */
const CHUNKS_TOGETHER = 512;
/** Number of entries that one statement counts one by one. */
const IDS_TOGETHER = 65_536;
/**
 * Number of rows of `trail.posting` that are compared in the time of reading one entry (measured: 7 µs for
 * entries that are not adjacent).
 */
const ROWS_PER_ENTRY = 6;
/** Additional time that a dimension takes in a chunk, as a number of entries that could be read instead. */
const ENTRIES_PER_DIMENSION = 6;

/** Result of posting lists for some chunks. */
export interface Listed {
  readonly counts: DimensionCounts;
  /**
   * Ids, in portions, of entries that are not counted yet. The caller must count those that match the filter.
   */
  readonly left: Iterable<readonly number[]>;
}

/**
 * Counts the entries of a filter in complete chunks by comparing its candidates with the lists of each
 * dimension. It reads no entries, and yields the counts of some chunks at a time. It leaves a chunk to the
 * caller if the chunk does not lie entirely in the range, or if it has so few candidates that reading them is
 * quicker. If lists do not know the filter exactly, it leaves all chunks.
 */
export async function* countInLists(
  snapshot: Snapshot,
  options: {
    readonly counting: Counting;
    readonly chunks: readonly number[];
    readonly wanted: readonly WantedLists[];
    readonly range: IdRange;
  },
): AsyncGenerator<Listed, void, undefined> {
  const { counting, chunks, range } = options;
  const { filter } = counting;
  const known = isKnownToLists(filter) ? chunks : [];
  const inRange = await chunksInRange(snapshot, { filter, ids: range, chunks: known });
  const finder = new CandidateFinder(snapshot, options.wanted);
  const sources = sourcesOf(snapshot, counting);
  for (let at = 0; at < chunks.length; at += CHUNKS_TOGETHER) {
    const some = chunks.slice(at, at + CHUNKS_TOGETHER);
    const { compared, left } = divide(await finder.find(some), { inRange, fewest: sources.fewest });
    yield {
      counts: await compare(snapshot, { counting, sources, found: compared }),
      left: idsInPortions(left, { chunks: some, range, order: 'asc', portion: IDS_TOGETHER }),
    };
  }
}

/** Divides candidates into those that are compared with lists and those that are left to the caller. */
function divide(
  { found, isExact }: Candidates,
  { inRange, fewest }: { readonly inRange: ReadonlySet<number>; readonly fewest: number },
): { readonly compared: ReadonlyMap<number, Places>; readonly left: ReadonlyMap<number, Places> } {
  const compared = new Map<number, Places>();
  const left = new Map<number, Places>();
  for (const [chunk, places] of found)
    (isExact && places.count >= fewest && inRange.has(chunk) ? compared : left).set(chunk, places);
  return { compared, left };
}

/** Sources of the values that a filter's entries have. */
interface Sources {
  /** Dimensions in which the filter names one value. All its entries have that value. */
  readonly fixed: readonly (readonly [Dimension, number])[];
  /** The other dimensions, and the buckets of their lists. */
  readonly listed: readonly (readonly [Dimension, readonly number[]])[];
  /** Least number of candidates in a chunk for which comparing lists is quicker than reading the entries. */
  readonly fewest: number;
}

function sourcesOf(snapshot: Snapshot, { filter, dimensions }: Counting): Sources {
  const fixed: [Dimension, number][] = [];
  const listed: [Dimension, readonly number[]][] = [];
  let fewest = 0;
  for (const dimension of dimensions) {
    const ids = idsOf(filter, dimension);
    if (ids?.length === 1) {
      fixed.push([dimension, ids[0]!]);
      continue;
    }
    const buckets = bucketsOf(ids ?? knownIds(snapshot, dimension));
    listed.push([dimension, buckets]);
    fewest += ENTRIES_PER_DIMENSION + buckets.length / ROWS_PER_ENTRY;
  }
  return { fixed, listed, fewest };
}

/** Counts, for each chunk, the places that are in each list of each dimension. */
async function compare(
  snapshot: Snapshot,
  options: {
    readonly counting: Counting;
    readonly sources: Sources;
    readonly found: ReadonlyMap<number, Places>;
  },
): Promise<DimensionCounts> {
  const { sources, found } = options;
  const counts = noCounts(options.counting.dimensions);
  if (found.size === 0) return counts;
  for (const [dimension, id] of sources.fixed)
    for (const { count } of found.values()) counts[dimension]!.add(id, count);
  const chunks = [...found.keys()];
  for (const [dimension, buckets] of sources.listed) {
    const ofDimension = counts[dimension]!;
    for await (const rows of readJoinedLists(snapshot, { dimension, buckets, chunks })) {
      for (const { chunk, lists } of rows)
        found.get(chunk)!.countIn(lists, (key, count) => {
          if (count > 0) ofDimension.add(key, count);
        });
    }
  }
  return counts;
}

/**
 * Yields the ids that entries may have in a dimension. 0 stands for an unattributed entry, or for no tenant.
 */
function* knownIds(
  { greatest, dictionaries }: Snapshot,
  dimension: Dimension,
): Generator<number, void, undefined> {
  if (dimension === 'actions' || dimension === 'entityTypes') yield* dictionaries[dimension].ids;
  else for (let id = 0; id <= greatest[COLUMNS[dimension].table]; id++) yield id;
}
