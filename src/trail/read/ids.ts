import { CHUNK_BITS, CHUNK_ENTRIES, type Places } from '../posting-lists.js';

/** Ids `>= above` and `< below`. */
export interface IdRange {
  readonly above: bigint;
  readonly below: bigint;
}

/** Stretches of chunks that follow each other, in the order of the chunks, which rise or fall. */
export function runsOf(chunks: readonly number[]): { readonly first: number; readonly last: number }[] {
  const runs: { first: number; last: number }[] = [];
  for (const chunk of chunks) {
    const run = runs.at(-1);
    if (run?.last === chunk - 1) run.last = chunk;
    else if (run?.first === chunk + 1) run.first = chunk;
    else runs.push({ first: chunk, last: chunk });
  }
  return runs;
}

/** The ids that chunks have, from the first to the last of them. */
export const idsOfChunks = (first: number, last: number): IdRange => ({
  above: BigInt(first) << BigInt(CHUNK_BITS),
  below: BigInt(last + 1) << BigInt(CHUNK_BITS),
});

/** The ids that days have. */
export const idsOfDays = (first: number, count: number): IdRange => ({
  above: BigInt(first) << 32n,
  below: BigInt(first + count) << 32n,
});

/** Written out and no parameters: so a plan has the partitions of these days alone, whatever its parameters will be. */
export function inDays(first: number, count: number): string {
  const { above, below } = idsOfDays(first, count);
  return `e.id >= ${above} and e.id < ${below}`;
}

/** The day that an id is of. */
export const dayOf = (id: number | bigint): number => Math.floor(Number(id) / 2 ** 32);

/** Ids of a chunk's entries at some places, ascending, in a range. As numbers, which hold 53 bits where an id has 45. */
export function idsAt(chunk: number, places: Places, range: IdRange): number[] {
  const first = chunk * CHUNK_ENTRIES;
  const ids = places.list();
  for (let index = 0; index < ids.length; index++) ids[index]! += first;
  if (first >= range.above && first + CHUNK_ENTRIES <= range.below) return ids;
  return ids.filter((id) => id >= range.above && id < range.below);
}

/** An array of ids as PostgreSQL reads it: the driver would quote each of them, which takes longer than to read their entries. */
export const arrayOf = (ids: readonly number[]): string => `{${ids.join(',')}}`;

export function narrowed(range: IdRange, by: Partial<IdRange>): IdRange {
  const { above = range.above, below = range.below } = by;
  return {
    above: above > range.above ? above : range.above,
    below: below < range.below ? below : range.below,
  };
}

/** Number of the chunk that an id is in. */
export const chunkOf = (id: bigint): number => Number(id >> BigInt(CHUNK_BITS));
