import { viewOf } from '../../pg/byte-loops.js';
import { RUNG, UNATTRIBUTED } from '../../pipeline/ports.js';
import { blockOfChunk } from '../entry-id.js';
import { entityHash, Places, type PostingDimension } from '../posting-lists.js';
import { idsOf } from './dimensions.js';
import type { StoredFilter } from './filter.js';
import { isMovedId } from './moved.js';
import { idsAt, type IdRange } from './ids.js';
import { bucketsOf, readLists } from './lists.js';
import type { Snapshot } from './snapshot.js';

/** Lists that a filter names in one dimension. An entry must be in one of them. */
export interface WantedLists {
  readonly dimension: PostingDimension;
  readonly keys: ReadonlySet<number>;
  /** Keys by block, for blocks in which only some keys, or none, are wanted. */
  readonly keysByBlock?: ReadonlyMap<number, ReadonlySet<number>>;
}

/**
 * Dimensions in the order in which their lists are read while the lengths are unknown. The lists of the first
 * ones are usually the shortest.
 */
const RAREST_FIRST = ['moved', 'entity', 'modifiers', 'tenants', 'actions', 'entityTypes'] as const;

/**
 * Returns the lists of each dimension that a filter names. Returns none if lists cannot narrow the filter.
 */
export function wantedLists(filter: StoredFilter): WantedLists[] {
  return RAREST_FIRST.flatMap((dimension) => {
    const keys = keysOf(filter, dimension);
    return keys === null ? [] : [{ dimension, keys: new Set(keys) }];
  });
}

function keysOf(filter: StoredFilter, dimension: PostingDimension): readonly number[] | null {
  const { entity, tenant, moved, shownActions } = filter;
  switch (dimension) {
    case 'entity':
      return entity === null ? null : [keyOfEntity(entity)];
    case 'moved': {
      const isAsked = moved === 'only' || shownActions?.every(isMovedId) === true;
      return isAsked && tenant !== null ? [tenant] : null;
    }
    case 'modifiers':
      return idsOf(filter, dimension) ?? (isOfNobody(filter) ? [UNATTRIBUTED] : null);
    default:
      return idsOf(filter, dimension);
  }
}

/** Returns whether the filter can find only entries without a modifier. */
const isOfNobody = ({ rungs }: StoredFilter): boolean =>
  rungs !== null && rungs.every((rung) => rung === RUNG.nobody || rung === RUNG.own);

function keyOfEntity(entity: string): number {
  const bytes = Buffer.from(entity);
  return entityHash(viewOf(bytes), 0, bytes.length);
}

/** Entries in some chunks that a filter may find. */
export interface Candidates {
  /** Places of the candidates, by chunk. Chunks without candidates are left out. */
  readonly found: ReadonlyMap<number, Places>;
  /** Whether all candidates match the part of the filter that lists know. Otherwise some may not match. */
  readonly isExact: boolean;
}

/**
 * Further lists are read while chunks have more candidates than this on average. Reading a list of thousands
 * of places costs as much as reading this number of entries.
 */
const FEW_IN_CHUNK = 4;

/**
 * Finds candidates in the lists of a filter. Dimensions with short lists in earlier chunks are read first in
 * later ones.
 */
export class CandidateFinder {
  readonly #snapshot: Snapshot;
  readonly #wanted: WantedLists[];
  /** Average number of places found in a chunk, by dimension, if known. */
  readonly #density = new Map<PostingDimension, number>();

  /** @param wanted at least one element */
  constructor(snapshot: Snapshot, wanted: readonly WantedLists[]) {
    this.#snapshot = snapshot;
    this.#wanted = [...wanted];
  }

  /**
   * Finds the entries of complete chunks that are in a list of each dimension. Once few candidates are left,
   * the remaining lists are not read: reading and checking the entries is cheaper.
   */
  async find(chunks: readonly number[]): Promise<Candidates> {
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
    { keys, keysByBlock, dimension }: WantedLists,
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
        places.addLists(lists, keysByBlock?.get(blockOfChunk(chunk)) ?? keys);
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
 * Yields the ids of candidates, chunk by chunk in the order of `chunks`. Within a chunk they ascend or
 * descend as `order` says. Each portion except the last has at least `portion` ids. Portions limit memory,
 * because the candidates may be all entries of all chunks.
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
