import { CHUNK_ENTRIES, firstIdOfChunk, firstIdOfDay } from '../entry-id.js';
import type { Places } from '../posting-lists.js';

/** Ids `>= above` and `< below`. */
export interface IdRange {
  readonly above: bigint;
  readonly below: bigint;
}

/**
 * Groups chunks that follow each other, at most `most` of them. Their numbers ascend or descend, and the
 * groups are in the same order.
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

/** Returns the ids of the chunks from the first to the last. */
export const idsOfChunks = (first: number, last: number): IdRange => ({
  above: firstIdOfChunk(first),
  below: firstIdOfChunk(last + 1),
});

/** Returns the ids of `count` days from the first. */
export const idsOfDays = (first: number, count: number): IdRange => ({
  above: firstIdOfDay(first),
  below: firstIdOfDay(first + count),
});

/**
 * Returns the condition on `entry e` that an id is one of some days. It is written without parameters, so
 * that a plan opens the partitions of these days alone, whatever its parameters will be.
 */
export function inDays(first: number, count: number): string {
  const { above, below } = idsOfDays(first, count);
  return `e.id >= ${above} and e.id < ${below}`;
}

/**
 * Returns the ids of a chunk's entries at some places, ascending, that are in a range. They are JavaScript
 * numbers, which hold 53 bits; an id has 45.
 */
export function idsAt(chunk: number, places: Places, range: IdRange): number[] {
  const first = chunk * CHUNK_ENTRIES;
  const ids = places.list();
  for (let index = 0; index < ids.length; index++) ids[index]! += first;
  if (first >= range.above && first + CHUNK_ENTRIES <= range.below) return ids;
  return ids.filter((id) => id >= range.above && id < range.below);
}

/**
 * Prints an array of ids as PostgreSQL reads it. The driver would quote each id, which takes longer than
 * reading their entries.
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
