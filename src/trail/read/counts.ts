import type { Dimension } from './dimensions.js';
import type { StoredFilter } from './filter.js';

/** What is to be counted: the entries of a filter, by their values in some dimensions. */
export interface Counting {
  readonly filter: StoredFilter;
  readonly dimensions: readonly Dimension[];
  /** Only entries with ids below this are counted. */
  readonly below?: bigint;
}

/** Entries by dictionary id; an id without entries is left out. */
export type Counts = Map<number, number>;

/** Counts of each dimension that was asked for. */
export type DimensionCounts = Readonly<Partial<Record<Dimension, Counts>>>;

/** Makes counts of nothing. */
export function noCounts(dimensions: readonly Dimension[]): DimensionCounts {
  return Object.fromEntries(dimensions.map((dimension) => [dimension, new Map<number, number>()]));
}

/** Adds to one count of a dimension that has counts. */
export function addCount(
  counts: DimensionCounts,
  added: { readonly dimension: Dimension; readonly id: number; readonly count: number },
): void {
  const ofDimension = counts[added.dimension]!;
  const sum = (ofDimension.get(added.id) ?? 0) + added.count;
  if (sum === 0) ofDimension.delete(added.id);
  else ofDimension.set(added.id, sum);
}

/** Adds counts of the same dimensions, or of some of them. */
export const addCounts = (counts: DimensionCounts, more: DimensionCounts): void =>
  addTimes(1, { counts, more });

/** Subtracts counts of the same dimensions, or of some of them. */
export const subtractCounts = (counts: DimensionCounts, fewer: DimensionCounts): void =>
  addTimes(-1, { counts, more: fewer });

function addTimes(
  factor: 1 | -1,
  { counts, more }: { readonly counts: DimensionCounts; readonly more: DimensionCounts },
): void {
  for (const [dimension, ofDimension] of Object.entries(more) as [Dimension, Counts][])
    for (const [id, count] of ofDimension) addCount(counts, { dimension, id, count: factor * count });
}
