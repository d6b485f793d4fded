import { CHUNK_ENTRIES, firstIdOfChunk, firstIdOfDay } from '../entry-id.js';
import type { Places } from '../posting-lists.js';

/** Ids `>= above` and `< below`. */
export interface IdRange {
  readonly above: bigint;
  readonly below: bigint;
}

/**
 * Groups adjacent chunks, at most `most` in a group. The numbers of the chunks must ascend or descend. The
 * groups have the same order.
 */
export function runsOf(
  chunks: readonly number[],
  most = Infinity,
): { readonly first: number; readonly last: number }[] {
  const runs: { first: number; last: number }[] = [];
  for (const chunk of chunks) {
    const run = runs.at(-1);
    const isFull = run !== undefined && run.last - run.first + 1 >= most;
    if (!isFull && run?.last === chunk - 1) run.last = chunk;
    else if (!isFull && run?.first === chunk + 1) run.first = chunk;
    else runs.push({ first: chunk, last: chunk });
  }
  return runs;
}

/** Returns the range of ids from the first chunk to the last. */
export const idsOfChunks = (first: number, last: number): IdRange => ({
  above: firstIdOfChunk(first),
  below: firstIdOfChunk(last + 1),
});

/** Returns the range of ids of `count` days, beginning with `first`. */
export const idsOfDays = (first: number, count: number): IdRange => ({
  above: firstIdOfDay(first),
  below: firstIdOfDay(first + count),
});

/**
 * Returns the condition on `entry e` that an id belongs to some days. It has no parameters, so a plan opens
 * only the partitions of these days, whatever the values of its parameters.
 */
export function inDays(first: number, count: number): string {
  const { above, below } = idsOfDays(first, count);
  return `e.id >= ${above} and e.id < ${below}`;
}

/**
 * Returns the ids of a chunk's entries at some places, ascending, if they are in a range. The ids are
 * JavaScript numbers: they have 45 bits, and 53 are exact.
 */
export function idsAt(chunk: number, places: Places, range: IdRange): number[] {
  const first = chunk * CHUNK_ENTRIES;
  const ids = places.list();
  for (let index = 0; index < ids.length; index++) ids[index]! += first;
  if (first >= range.above && first + CHUNK_ENTRIES <= range.below) return ids;
  return ids.filter((id) => id >= range.above && id < range.below);
}

/**
 * Returns an array of ids in PostgreSQL's text format. The driver would quote each id, which takes longer
 * than reading the entries.
 */
export const arrayOf = (ids: readonly number[]): string => `{${ids.join(',')}}`;

/** Returns the ids that are in both ranges. */
export function narrowed(range: IdRange, by: Partial<IdRange>): IdRange {
  const { above = range.above, below = range.below } = by;
  return {
    above: above > range.above ? above : range.above,
    below: below < range.below ? below : range.below,
  };
}
