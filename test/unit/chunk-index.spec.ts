import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { SAME_TENANT } from '../../src/pipeline/ports.js';
import { ChunkIndex, type IndexedEntry } from '../../src/trail/write/chunk-index.js';
import { bucketOf, byBucket, Places } from '../../src/trail/posting-lists.js';

const CHUNK = 16_384;
const FIRST = 300n << 32n;

/** The fields of the rows of a binary COPY. */
function fieldsOf(frames: readonly Buffer[]): Buffer[][] {
  return frames.flatMap((frame) => {
    const rows: Buffer[][] = [];
    for (let at = 5; at < frame.length;) {
      const count = frame.readInt16BE(at);
      at += 2;
      rows.push(
        Array.from({ length: count }, () => {
          const length = frame.readInt32BE(at);
          const field = frame.subarray(at + 4, at + 4 + length);
          at += 4 + length;
          return field;
        }),
      );
    }
    return rows;
  });
}

interface Indexed {
  /** The posting lists of a dimension and bucket. */
  readonly postings: ReadonlyMap<string, Buffer>;
  readonly chunks: readonly { readonly chunk: number; readonly entries: number; readonly first: bigint; readonly last: bigint }[];
} // prettier-ignore

function complete(index: ChunkIndex): Indexed {
  const [postings, chunks] = index.takeComplete();
  return {
    postings: new Map(
      fieldsOf(postings?.frames ?? []).map(([dimension, bucket, , lists]) => [
        `${dimension!.toString()}${bucket!.readInt16BE()}`,
        lists!,
      ]),
    ),
    chunks: fieldsOf(chunks?.frames ?? []).map(([chunk, entries, first, last]) => ({
      chunk: chunk!.readInt32BE(),
      entries: entries!.readInt32BE(),
      first: first!.readBigInt64BE(),
      last: last!.readBigInt64BE(),
    })),
  };
}

function entry(id: bigint, of: Partial<IndexedEntry> = {}): IndexedEntry {
  return {
    id,
    committedAt: 5n,
    modifierId: 1,
    entityTypeId: 2,
    actionId: 3,
    tenantId: 0,
    entityHash: null,
    previousTenantId: SAME_TENANT,
    previousEntityHash: null,
    ...of,
  };
}

const placesOf = (lists: Buffer | undefined, ...keys: number[]): number[] => {
  const places = new Places();
  if (lists !== undefined) places.addLists(lists, new Set(keys));
  return places.list();
};

describe('the index of a chunk', () => {
  test('returns nothing before the chunk is complete, and then everything once', () => {
    const index = new ChunkIndex();
    for (let n = 0; n < CHUNK - 1; n++) index.add(entry(FIRST + BigInt(n)));
    expect(index.takeComplete()).toEqual([]);
    index.add(entry(FIRST + BigInt(CHUNK - 1)));
    const { postings, chunks } = complete(index);
    expect(chunks).toEqual([{ chunk: 300 << 18, entries: CHUNK, first: 5n, last: 5n }]);
    expect([...postings.keys()].toSorted()).toEqual(['a3', 'm1', 'n0', 't2']);
    expect(placesOf(postings.get('m1'), 1)).toEqual(Array.from({ length: CHUNK }, (_, place) => place));
    expect(index.takeComplete()).toEqual([]);
  });

  test('closes a chunk at the first entry of another day', () => {
    const index = new ChunkIndex();
    index.add(entry(FIRST + 3n, { modifierId: 8 }));
    index.add(entry(301n << 32n));
    expect(complete(index).chunks.map(({ chunk, entries }) => [chunk, entries])).toEqual([[300 << 18, 1]]);
  });

  test('has the lowest and the highest commit time, for any times in any order', () => {
    const times = [-(2n ** 63n), 2n ** 63n - 1n, 0n, -1n, 2n ** 32n, 2n ** 32n - 1n, 4n, 5n];
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...times), { minLength: 1, maxLength: 8 }), (chosen) => {
        const index = new ChunkIndex();
        for (const [n, committedAt] of chosen.entries()) index.add(entry(FIRST + BigInt(n), { committedAt }));
        index.add(entry(301n << 32n));
        const [{ first, last }] = complete(index).chunks as [Indexed['chunks'][number]];
        expect(first).toBe(chosen.reduce((least, one) => (one < least ? one : least)));
        expect(last).toBe(chosen.reduce((most, one) => (one > most ? one : most)));
      }),
    );
  });

  // Keys that share a bucket, negative keys, and keys that need all digits of the sort.
  const KEYS = [0, 1, 1_024, 1_025, -1, -1_024, 2 ** 31 - 1, -(2 ** 31), 5 << 21, 5 << 10];

  test('lists each entry under its own key only', () => {
    fc.assert(
      fc.property(
        fc.array(fc.option(fc.constantFrom(...KEYS)), { minLength: 1, maxLength: 60 }),
        fc.integer({ min: 1, max: 60 }),
        (some, repeats) => {
          const hashes = Array.from({ length: repeats }, () => some).flat();
          const index = new ChunkIndex();
          for (const [n, entityHash] of hashes.entries())
            index.add(entry(FIRST + BigInt(n), { entityHash, modifierId: entityHash ?? 7 }));
          index.add(entry(301n << 32n));
          const { postings } = complete(index);
          for (const key of KEYS) {
            const places = [...hashes.keys()].filter((n) => hashes[n] === key);
            for (const dimension of ['e', 'm'])
              expect(placesOf(postings.get(`${dimension}${bucketOf(key)}`), key)).toEqual(places);
          }
          expect(placesOf(postings.get('m7'), 7)).toEqual([...hashes.keys()].filter((n) => hashes[n] === null));
        },
      ),
      { numRuns: 40 },
    );
  }); // prettier-ignore

  test('lists an entry that moved under both tenants and both entities, once each', () => {
    const Key = fc.constantFrom(...KEYS);
    const Move = fc.record({
      tenantId: Key,
      previousTenantId: fc.option(Key.filter((key) => key !== SAME_TENANT), { nil: SAME_TENANT }),
      entityHash: fc.option(Key),
      previousEntityHash: fc.option(Key),
    }); // prettier-ignore
    fc.assert(
      fc.property(fc.array(Move, { minLength: 1, maxLength: 40 }), (moves) => {
        const index = new ChunkIndex();
        for (const [n, move] of moves.entries()) index.add(entry(FIRST + BigInt(n), move));
        index.add(entry(301n << 32n));
        const { postings } = complete(index);
        const listed = (dimension: string, key: number): number[] =>
          placesOf(postings.get(`${dimension}${bucketOf(key)}`), key);
        const wanted = (keysOf: (move: (typeof moves)[number]) => readonly (number | null)[], key: number) =>
          [...moves.keys()].filter((n) => keysOf(moves[n]!).includes(key));
        for (const key of KEYS) {
          const tenants = (move: (typeof moves)[number]): number[] => [
            move.tenantId,
            ...(move.previousTenantId === SAME_TENANT ? [] : [move.previousTenantId]),
          ];
          expect(listed('n', key)).toEqual(wanted(tenants, key));
          expect(listed('v', key)).toEqual(
            wanted((move) => (move.previousTenantId === SAME_TENANT ? [] : tenants(move)), key),
          );
          expect(listed('e', key)).toEqual(wanted((move) => [move.entityHash, move.previousEntityHash], key));
        }
      }),
      { numRuns: 60 },
    );
  });

  test.each([1_023, 1_024])('lists %d entries: the list changes its form at 1024', (count) => {
    const index = new ChunkIndex();
    const places = Array.from({ length: count }, (_, n) => 16 * n);
    for (const [n, place] of places.entries()) {
      index.add(entry(FIRST + BigInt(place), { tenantId: 9 }));
      if (n % 3 === 0) index.add(entry(FIRST + BigInt(place + 1), { tenantId: 9 + 1_024 }));
    }
    index.add(entry(301n << 32n));
    const lists = complete(index).postings.get('n9')!;
    expect(placesOf(lists, 9)).toEqual(places);
    expect(placesOf(lists, 9 + 1_024)).toEqual(
      places.filter((_, n) => n % 3 === 0).map((place) => place + 1),
    );
    expect(placesOf(lists, 9, 9 + 1_024)).toHaveLength(count + Math.ceil(count / 3));
    expect(placesOf(lists, 9 + 2_048)).toEqual([]);
  });
});

test('the order of the sort keeps keys of one bucket together', () => {
  fc.assert(
    fc.property(fc.integer(), fc.integer(), (one, other) => {
      const sameBucket = bucketOf(one) === bucketOf(other);
      expect(Math.floor(byBucket(one) / 2 ** 22) === Math.floor(byBucket(other) / 2 ** 22)).toBe(sameBucket);
      expect(byBucket(one) === byBucket(other)).toBe(one === other);
    }),
  );
});

test('intersecting two sets of places leaves those in both', () => {
  const sorted = (places: readonly number[]): number[] => places.toSorted((a, b) => a - b);
  const set = fc.uniqueArray(fc.integer({ min: 0, max: CHUNK - 1 }), { maxLength: 300 });
  fc.assert(
    fc.property(set, set, set, (common, left, right) => {
      const [one, other] = [new Set([...common, ...left]), new Set([...common, ...right])].map((places) => {
        const lists = Buffer.alloc(6 + 2 * places.size);
        lists.writeUInt16BE(places.size, 4);
        [...places].forEach((place, index) => lists.writeUInt16BE(place, 6 + 2 * index));
        const found = new Places();
        found.addLists(lists, new Set([0]));
        return { places, found };
      }) as [{ places: Set<number>; found: Places }, { places: Set<number>; found: Places }];
      one.found.intersect(other.found);
      expect(one.found.list()).toEqual(sorted([...one.places].filter((place) => other.places.has(place))));
      expect(other.found.list()).toEqual(sorted([...other.places]));
    }),
  );
});
