import { viewOf } from '../../pg/byte-loops.js';
import { COLUMNS, DIMENSIONS, idsOf } from './dimensions.js';
import { Parameters, type StoredFilter } from './filter.js';
import { chunkOf, idsAt, idsOfDays, narrowed, type IdRange } from './ids.js';
import { bucketsOf, readLists } from './lists.js';
import { CHUNK_BITS, entityHash, Places, type PostingDimension } from '../posting-lists.js';
import type { Snapshot } from './snapshot.js';

/** The lists that a filter asks for in one dimension: an entry has to be in one of them. */
export interface WantedLists {
  readonly dimension: PostingDimension;
  readonly keys: ReadonlySet<number>;
  /** Of a chunk only some of them. */
  readonly keysIn?: (chunk: number) => ReadonlySet<number>;
}

/** As they usually are: lists are read in this order while nothing is known of their lengths. */
const RAREST_FIRST = ['entity', 'modifiers', 'tenants', 'actions', 'entityTypes'] as const;

/** Empty: the lists say nothing about the filter. */
export function wantedLists(filter: StoredFilter): WantedLists[] {
  const { entity } = filter;
  return RAREST_FIRST.flatMap((dimension) => {
    const keys =
      dimension !== 'entity' ? idsOf(filter, dimension) : entity === null ? null : [keyOfEntity(entity)];
    return keys === null ? [] : [{ dimension, keys: new Set(keys) }];
  });
}

function keyOfEntity(entity: string): number {
  const bytes = Buffer.from(entity);
  return entityHash(viewOf(bytes), 0, bytes.length);
}

/** The ids that entries have, in a range. */
export const storedIds = ({ firstId, head }: Snapshot, range: IdRange): IdRange =>
  narrowed(range, { above: firstId, below: BigInt(head?.nextId ?? 0) });

/** Those of a range for which there are no lists yet, for each day, ascending. */
export const openRanges = ({ openFrom, openDays }: Snapshot, range: IdRange): IdRange[] =>
  openDays.map((day) => narrowed(narrowed(range, { above: openFrom }), idsOfDays(day, 1)));

/** Numbers of the complete chunks that a range touches and whose commit times are not all outside of the filter's. */
export async function completeChunks(
  snapshot: Snapshot,
  options: { readonly filter: StoredFilter; readonly ids: IdRange; readonly order: 'asc' | 'desc' },
): Promise<number[]> {
  const { filter, order } = options;
  const { above, below } = narrowed(options.ids, { below: snapshot.openFrom });
  if (above >= below) return [];
  const parameters = new Parameters();
  // Not by the number where a time is given: with unknown values the planner cannot tell which of them says more.
  const isTimed = filter.from !== '-infinity';
  const { rows } = await snapshot.query<{ chunks: number[] }>(
    /* sql */ `
    select coalesce(array_agg(chunk order by chunk ${order}), '{}') as chunks from trail.chunk
     where chunk${isTimed ? ' + 0' : ''} between ${parameters.add(chunkOf(above), 'int4')} and ${parameters.add(chunkOf(below - 1n), 'int4')}
       ${isTimed ? `and last_committed_at >= ${parameters.add(filter.from, 'timestamptz')}` : ''}
       ${filter.to === 'infinity' ? '' : `and first_committed_at < ${parameters.add(filter.to, 'timestamptz')}`}`,
    parameters.values,
  );
  return rows[0]!.chunks;
}

/** Those of the chunks whose commit times are all the filter's, and whose ids are all in a range. */
export async function wholeChunks(
  snapshot: Snapshot,
  options: { readonly filter: StoredFilter; readonly ids: IdRange; readonly chunks: readonly number[] },
): Promise<Set<number>> {
  const { filter, ids, chunks } = options;
  if (chunks.length === 0) return new Set();
  const { rows } = await snapshot.query<{ chunk: number }>(
    /* sql */ `
    select chunk from trail.chunk
     where chunk = any($1::int4[]) and first_committed_at >= $2::timestamptz and last_committed_at < $3::timestamptz
       and chunk::int8 << ${CHUNK_BITS} >= $4::int8 and (chunk::int8 + 1) << ${CHUNK_BITS} <= $5::int8`,
    [chunks, filter.from, filter.to, ids.above.toString(), ids.below.toString()],
  );
  return new Set(rows.map(({ chunk }) => chunk));
}

/**
 * Those of the chunks in whose block the words of a filter occur together, as far as summaries tell: what a block has under one word
 * says which others. A block without a summary, or with one that leaves out so rare a word, stays.
 */
export async function withAllWords(
  snapshot: Snapshot,
  options: { readonly filter: StoredFilter; readonly chunks: readonly number[] },
): Promise<readonly number[]> {
  const { filter, chunks } = options;
  const words = DIMENSIONS.map((dimension) => ({ ...COLUMNS[dimension], ids: idsOf(filter, dimension) }));
  // Of modifiers many are too rare for a row.
  const one = words.find(({ ids, letter }) => ids?.length === 1 && letter !== 'm');
  const others = words.filter((word) => word.ids !== null && word !== one);
  if (one === undefined || others.length === 0 || chunks.length === 0) return chunks;
  const parameters = new Parameters();
  const has = others.map(({ values, ids }) => `${values} && ${parameters.add(ids, 'int4[]')}`).join(' and ');
  const [first, last] = [chunks[0]!, chunks.at(-1)!].sort((a, b) => a - b);
  const { rows } = await snapshot.query<{ blocks: number[] }>(
    /* sql */ `
    select coalesce(array_agg(block), '{}') as blocks from trail.block_value
     where dimension = '${one.letter}' and value = ${parameters.add(one.ids![0], 'int4')}
       and block between ${parameters.add(first! >> 2, 'int4')} and ${parameters.add(last! >> 2, 'int4')} and not (${has})`,
    parameters.values,
  );
  const without = new Set(rows[0]!.blocks);
  return chunks.filter((chunk) => !without.has(chunk >> 2));
}

/** On average, in chunks that have any. A list of thousands takes as long to read as so many entries. */
const FEW_IN_CHUNK = 4;

/** Reads the lists of a filter. What it has found rare in some chunks it asks for first in the next. */
export class ListReader {
  readonly #snapshot: Snapshot;
  readonly #wanted: WantedLists[];
  /** Entries in a chunk, as far as it is known. */
  readonly #density = new Map<PostingDimension, number>();

  /** @param wanted at least one */
  constructor(snapshot: Snapshot, wanted: readonly WantedLists[]) {
    this.#snapshot = snapshot;
    this.#wanted = [...wanted];
  }

  /**
   * Which entries of complete chunks are in one list each of all dimensions; chunks with none are left away. Lists of a dimension are
   * not read where few entries are left: to read these and look is cheaper. So what is found has to be checked, unless `isExact`.
   */
  async find(
    chunks: readonly number[],
  ): Promise<{ readonly found: Map<number, Places>; readonly isExact: boolean }> {
    const densityOf = ({ dimension }: WantedLists): number =>
      this.#density.get(dimension) ?? Number.MAX_VALUE;
    this.#wanted.sort((one, other) => densityOf(one) - densityOf(other));
    const [first, ...others] = this.#wanted;
    const found = await this.#read(first!, chunks);
    for (const other of others) {
      let left = 0;
      for (const places of found.values()) left += places.count;
      if (left <= found.size * FEW_IN_CHUNK) return { found, isExact: false };
      const inOther = await this.#read(other, [...found.keys()]);
      for (const [chunk, places] of found) {
        const both = inOther.get(chunk);
        if (both !== undefined) places.intersect(both);
        if (both === undefined || places.count === 0) found.delete(chunk);
      }
    }
    return { found, isExact: true };
  }

  async #read(
    { keys, keysIn, dimension }: WantedLists,
    chunks: readonly number[],
  ): Promise<Map<number, Places>> {
    const found = new Map<number, Places>();
    let count = 0;
    let unused = new Places();
    const buckets = bucketsOf(keys);
    for await (const rows of readLists(this.#snapshot, { dimension, buckets, chunks })) {
      for (const { chunk, lists } of rows) {
        const places = found.get(chunk) ?? unused;
        const before = places.count;
        places.addLists(lists, keysIn?.(chunk) ?? keys);
        count += places.count - before;
        if (places !== unused || places.count === 0) continue;
        found.set(chunk, places);
        unused = new Places();
      }
    }
    this.#density.set(dimension, count / chunks.length);
    return found;
  }
}

/**
 * Ids of entries that were found in chunks, in their order, of each chunk ascending or descending: at least `portion` at a time, but
 * for the last, since a few words may be in all entries of all chunks.
 */
export function* idsInPortions(
  found: ReadonlyMap<number, Places>,
  options: {
    readonly chunks: readonly number[];
    readonly range: IdRange;
    readonly order: 'asc' | 'desc';
    readonly portion: number;
  },
): Generator<readonly number[], void, undefined> {
  let ids: number[] = [];
  for (const chunk of options.chunks) {
    const places = found.get(chunk);
    if (places === undefined) continue;
    const ofChunk = idsAt(chunk, places, options.range);
    ids.push(...(options.order === 'desc' ? ofChunk.reverse() : ofChunk));
    if (ids.length < options.portion) continue;
    yield ids;
    ids = [];
  }
  yield ids;
}
