import type { Dimension } from './dimensions.js';
import type { StoredFilter } from './filter.js';

/** Request to count the entries of a filter by their values in some dimensions. */
export interface Counting {
  readonly filter: StoredFilter;
  readonly dimensions: readonly Dimension[];
  /** Only entries with ids below this are counted. */
  readonly below?: bigint;
}

const FEWEST_PLACES = 64;
const ID_BYTES = 4;
const COUNT_BYTES = 8;

/**
 * Numbers of entries by dictionary id: an open hash table in typed arrays, at most half full. Clients that
 * may emit messages can invent modifiers. A million of them take 25 MB here, and three times as much in a
 * Map.
 */
export class Counts {
  /** Ids plus one; 0: the place is free. */
  #ids = new Int32Array(FEWEST_PLACES);
  #counts = new Float64Array(FEWEST_PLACES);
  #used = 0;

  add(id: number, count: number): void {
    let place = this.#placeOf(id);
    if (this.#ids[place] === 0) {
      if (2 * ++this.#used > this.#ids.length) {
        this.#grow();
        place = this.#placeOf(id);
      }
      this.#ids[place] = id + 1;
    }
    this.#counts[place]! += count;
  }

  /** Adds counts of single ids in the form that {@link encodedSql} returns. */
  addEncoded(encoded: Buffer | null): void {
    forEachGroup({ encoded, ids: 1 }, (group, count) => {
      this.add(group[0]!, count);
    });
  }

  get(id: number): number {
    return this.#counts[this.#placeOf(id)]!;
  }

  /** Calls `visit` with each id that has entries, in no order. */
  forEach(visit: (id: number, count: number) => void): void {
    for (let place = 0; place < this.#ids.length; place++)
      if (this.#counts[place] !== 0) visit(this.#ids[place]! - 1, this.#counts[place]!);
  }

  #placeOf(id: number): number {
    const ids = this.#ids;
    const mask = ids.length - 1;
    let place = (Math.imul(id, 0x9e3779b1) >>> 7) & mask;
    while (ids[place] !== 0 && ids[place] !== id + 1) place = (place + 1) & mask;
    return place;
  }

  #grow(): void {
    const [ids, counts] = [this.#ids, this.#counts];
    this.#ids = new Int32Array(2 * ids.length);
    this.#counts = new Float64Array(2 * ids.length);
    for (let from = 0; from < ids.length; from++) {
      if (ids[from] === 0) continue;
      const place = this.#placeOf(ids[from]! - 1);
      this.#ids[place] = ids[from]!;
      this.#counts[place] = counts[from]!;
    }
  }
}

/** Null among the ids of a group. */
export const NONE = -1;

/**
 * Returns an SQL aggregate that encodes groups for {@link forEachGroup}: some ids (int2 or int4, or null) and
 * a count (int8). A row for each group would take ten times the memory.
 */
export const encodedSql = (ids: readonly string[], count: string): string =>
  `pg_catalog.string_agg(${ids.map((id) => `pg_catalog.int4send(coalesce(${id}::int4, ${NONE})) || `).join('')}pg_catalog.int8send(${count}), '')`;

/** Calls `visit` with the ids of each group and its count. The array of ids is reused. */
export function forEachGroup(
  { encoded, ids }: { readonly encoded: Buffer | null; readonly ids: number },
  visit: (group: Readonly<Int32Array>, count: number) => void,
): void {
  if (encoded === null) return;
  const group = new Int32Array(ids);
  for (let at = 0; at < encoded.length; at += COUNT_BYTES) {
    for (let index = 0; index < ids; index++, at += ID_BYTES) group[index] = encoded.readInt32BE(at);
    visit(group, Number(encoded.readBigInt64BE(at)));
  }
}

/** Counts of each requested dimension. */
export type DimensionCounts = Readonly<Partial<Record<Dimension, Counts>>>;

/** Returns empty counts. */
export function noCounts(dimensions: readonly Dimension[]): DimensionCounts {
  return Object.fromEntries(dimensions.map((dimension) => [dimension, new Counts()]));
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
  for (const [dimension, ofDimension] of Object.entries(more) as [Dimension, Counts][]) {
    const sums = counts[dimension]!;
    ofDimension.forEach((id, count) => sums.add(id, factor * count));
  }
}
