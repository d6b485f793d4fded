import { CHUNK_ENTRIES } from './entry-id.js';

/**
 * Encoding of `trail.posting`, which stores the entries of a chunk that have a value. It is defined here once
 * for the writer and the readers.
 *
 * An entry is named by its place in the chunk (entry-id.ts). A key is a 32-bit number: the id of a modifier,
 * entity type, action or tenant in its dictionary, or the hash of an entity id. An entry that moved from one
 * tenant or entity id to another is in the lists of both. If it moved between tenants, it is also in their
 * lists of moved entries. A row of `trail.posting` holds the lists of all keys that share their last ten
 * bits. A chunk therefore has at most 1,024 rows in a dimension, whatever the number of keys. The lists
 * follow each other. Integers have the most significant byte first:
 *
 *   key (4 bytes), number of places (2 bytes), then
 *   fewer than 1,024 places: each place (2 bytes), ascending
 *   otherwise: a bitmap (2,048 bytes), place p being bit p & 7 (least significant first) of byte p >> 3
 *
 * Roaring bitmaps combine arrays and bitmaps in the same way.
 *
 * @see https://roaringbitmap.org/about/
 */
export const LIST_HEAD_BYTES = 6;
export const BITMAP_BYTES = CHUNK_ENTRIES / 8;
/** Number of places from which on a bitmap is not larger than a list of the places. */
export const FEWEST_IN_BITMAP = BITMAP_BYTES / 2;

/** Dimensions with posting lists, and their letters in `trail.posting`. */
export const POSTING_DIMENSIONS = {
  modifiers: 'm',
  entityTypes: 't',
  actions: 'a',
  tenants: 'n',
  entity: 'e',
  /** Entries that moved, by the tenants that they left and reached. */
  moved: 'v',
} as const;
export type PostingDimension = keyof typeof POSTING_DIMENSIONS;

const BUCKET_BITS = 10;
export const BUCKETS = 1 << BUCKET_BITS;
/** Number of leading bytes of an entity id that its hash covers. */
const HASHED_BYTES = 256;

export const bucketOf = (key: number): number => key & (BUCKETS - 1);

/** Returns the sort number of a key. Keys of one bucket are adjacent in this order. */
export const byBucket = (key: number): number => ((key << (32 - BUCKET_BITS)) | (key >>> BUCKET_BITS)) >>> 0;

/**
 * Returns the key of an entity: the 32-bit FNV-1a hash, signed, of the first 256 bytes of its id.
 * `trail.entity_hash` is the same in SQL.
 *
 * @see https://datatracker.ietf.org/doc/html/draft-eastlake-fnv
 */
export function entityHash(bytes: DataView, start: number, length: number): number {
  let hash = 0x811c9dc5 | 0;
  for (let at = start, end = start + Math.min(length, HASHED_BYTES); at < end; at++)
    hash = Math.imul(hash ^ bytes.getUint8(at), 0x01000193);
  return hash;
}

/** Copy of a row's bitmap during a comparison, so that 32 bits can be read at a time. */
const OTHER_BYTES = new Uint8Array(BITMAP_BYTES);
const OTHER_INT32S = new Uint32Array(OTHER_BYTES.buffer);

/** A set of places in a chunk. */
export class Places {
  readonly #bytes = new Uint8Array(BITMAP_BYTES);
  /** The same bits, 32 at a time. */
  readonly #int32s = new Uint32Array(this.#bytes.buffer);
  #count = 0;

  get count(): number {
    return this.#count;
  }

  /** Adds the places in the lists of some keys. `lists` comes from rows of `trail.posting`. */
  addLists(lists: Buffer, keys: ReadonlySet<number>): void {
    forEachList(lists, (key, count, at) => {
      if (!keys.has(key)) return;
      if (count < FEWEST_IN_BITMAP) this.#addPlaces(lists, at, at + 2 * count);
      else this.#addBitmap(lists.subarray(at, at + BITMAP_BYTES), count);
    });
  }

  /** Calls `each` with the number of these places that each list in rows of `trail.posting` contains. */
  countIn(lists: Buffer, each: (key: number, count: number) => void): void {
    forEachList(lists, (key, count, at) => {
      const isBitmap = count >= FEWEST_IN_BITMAP;
      each(key, isBitmap ? this.#countBitmap(lists, at) : this.#countPlaces(lists, at, at + 2 * count));
    });
  }

  /** Keeps only the places that are in both sets. */
  intersect(other: Places): void {
    const int32s = this.#int32s;
    let count = 0;
    for (let index = 0; index < int32s.length; index++)
      count += bitsOf((int32s[index]! &= other.#int32s[index]!));
    this.#count = count;
  }

  /** Returns the places in ascending order. */
  list(): number[] {
    const places: number[] = [];
    const int32s = this.#int32s;
    for (let index = 0; index < int32s.length; index++) {
      if (int32s[index] === 0) continue;
      // Read byte by byte, because the order of bytes in 32 bits depends on the machine.
      for (let byte = 4 * index; byte < 4 * index + 4; byte++) {
        for (let bits = this.#bytes[byte]!; bits !== 0; bits &= bits - 1)
          places.push(8 * byte + (31 - Math.clz32(bits & -bits)));
      }
    }
    return places;
  }

  #countPlaces(lists: Buffer, start: number, end: number): number {
    const bytes = this.#bytes;
    let count = 0;
    for (let at = start; at < end; at += 2) {
      const place = (lists[at]! << 8) | lists[at + 1]!;
      count += (bytes[place >> 3]! >> (place & 7)) & 1;
    }
    return count;
  }

  #countBitmap(lists: Buffer, start: number): number {
    // Copied because the bitmap may begin at any byte of the row, while 32 bits can be read only at offsets
    // that are multiples of four.
    OTHER_BYTES.set(lists.subarray(start, start + BITMAP_BYTES));
    const int32s = this.#int32s;
    let count = 0;
    for (let index = 0; index < int32s.length; index++)
      count += bitsOf(int32s[index]! & OTHER_INT32S[index]!);
    return count;
  }

  #addPlaces(lists: Buffer, start: number, end: number): void {
    for (let at = start; at < end; at += 2) {
      const place = (lists[at]! << 8) | lists[at + 1]!;
      const byte = this.#bytes[place >> 3]!;
      const bit = 1 << (place & 7);
      if ((byte & bit) !== 0) continue;
      this.#bytes[place >> 3] = byte | bit;
      this.#count++;
    }
  }

  #addBitmap(bitmap: Buffer, count: number): void {
    if (this.#count === 0) {
      this.#bytes.set(bitmap);
      this.#count = count;
      return;
    }
    for (let byte = 0; byte < bitmap.length; byte++) this.#bytes[byte]! |= bitmap[byte]!;
    this.#count = 0;
    for (const int32 of this.#int32s) this.#count += bitsOf(int32);
  }
}

/** Calls `visit` with each key, the number of its places, and the offset of its places in `lists`. */
function forEachList(lists: Buffer, visit: (key: number, count: number, at: number) => void): void {
  for (
    let at = 0, count: number;
    at < lists.length;
    at += count < FEWEST_IN_BITMAP ? 2 * count : BITMAP_BYTES
  ) {
    const key = lists.readInt32BE(at);
    count = lists.readUInt16BE(at + 4);
    at += LIST_HEAD_BYTES;
    visit(key, count, at);
  }
}

/** Counts the set bits of a 32-bit number. */
function bitsOf(int32: number): number {
  const pairs = int32 - ((int32 >>> 1) & 0x55555555);
  const nibbles = (pairs & 0x33333333) + ((pairs >>> 2) & 0x33333333);
  return Math.imul((nibbles + (nibbles >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24;
}
