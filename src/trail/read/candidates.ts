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

/** The lists that a filter asks for in one dimension: an entry has to be in one of them. */
export interface WantedLists {
  readonly dimension: PostingDimension;
  readonly keys: ReadonlySet<number>;
  /** Blocks in which only some of the keys are wanted, or none. */
  readonly keysByBlock?: ReadonlyMap<number, ReadonlySet<number>>;
}

/**
 * The dimensions in the order in which lists are read while nothing is known of their lengths: usually the
 * shortest first.
 */
const RAREST_FIRST = ['moved', 'entity', 'modifiers', 'tenants', 'actions', 'entityTypes'] as const;

/** Returns the lists of each dimension that a filter names. Empty if lists say nothing about the filter. */
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

/** Whether only entries are found that have no modifier. */
const isOfNobody = ({ rungs }: StoredFilter): boolean =>
  rungs !== null && rungs.every((rung) => rung === RUNG.nobody || rung === RUNG.own);

function keyOfEntity(entity: string): number {
  const bytes = Buffer.from(entity);
  return entityHash(viewOf(bytes), 0, bytes.length);
}

/** Entries that a filter may find in some chunks. */
export interface Candidates {
  /** Places of the candidates by chunk. Chunks without candidates are left out. */
  readonly found: ReadonlyMap<number, Places>;
  /** Whether all candidates match the filter, as far as lists know it. Otherwise some may not. */
  readonly isExact: boolean;
}

/**
 * Lists are read as long as chunks have on average more candidates than this: a list of thousands of places
 * costs as much as reading so few entries.
 */
const FEW_IN_CHUNK = 4;

/**
 * Finds candidates in the lists of a filter. Lists that were short in some chunks are read first in the next.
 */
export class CandidateFinder {
  readonly #snapshot: Snapshot;
  readonly #wanted: WantedLists[];
  /** Average number of places found in a chunk, as far as it is known. */
  readonly #density = new Map<PostingDimension, number>();

  /** @param wanted at least one */
  constructor(snapshot: Snapshot, wanted: readonly WantedLists[]) {
    this.#snapshot = snapshot;
    this.#wanted = [...wanted];
  }

  /**
   * Finds the entries of complete chunks that are in a list of each dimension. Once few are left, the lists
   * of the other dimensions are not read: it is cheaper to read these entries and check them.
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
 * Yields the ids of candidates, chunk by chunk in the order of `chunks`, those of a chunk ascending or
 * descending. Each portion but the last has at least `portion` ids. They are not yielded all at once, because
 * a few values may be those of all entries of all chunks.
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
