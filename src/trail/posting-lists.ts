/**
 * How `trail.posting` stores which entries of a chunk have a value: the one definition of the encoding, for the writer and
 * the readers.
 *
 * A chunk is the 16,384 entries whose ids differ in the last 14 bits only: these bits are an entry's place. A key is a number of 32
 * bits: the id of a modifier, entity type, action or tenant in its dictionary, or the hash of an entity id. A row of `trail.posting`
 * has the lists of all keys that share their last ten bits, so that there are at most 1,024 for a dimension, however many keys.
 * The lists stand one behind the other, integers with the most significant byte first:
 *
 *   key (4 bytes), number of places (2 bytes), then
 *   below 1,024 of them: each place (2 bytes), ascending
 *   otherwise: a bitmap (2,048 bytes), place p being bit p & 7 (least significant first) of byte p >> 3
 *
 * which is what Roaring bitmaps do with arrays and bitmaps.
 *
 * @see https://roaringbitmap.org/about/
 */
export const CHUNK_BITS = 14;
export const CHUNK_ENTRIES = 1 << CHUNK_BITS;
export const LIST_HEAD_BYTES = 6;
export const BITMAP_BYTES = CHUNK_ENTRIES / 8;
/** From so many on a bitmap is not larger. */
export const FEWEST_IN_BITMAP = BITMAP_BYTES / 2;

/** Dimensions that have lists, by their letter in `trail.posting`. */
export const POSTING_DIMENSIONS = {
  modifiers: 'm',
  entityTypes: 't',
  actions: 'a',
  tenants: 'n',
  entity: 'e',
} as const;
export type PostingDimension = keyof typeof POSTING_DIMENSIONS;

const BUCKET_BITS = 10;
export const BUCKETS = 1 << BUCKET_BITS;
/** The part of an entity id that its hash is made of. */
const HASHED_BYTES = 256;

export const bucketOf = (key: number): number => key & (BUCKETS - 1);

/** A number whose order is that of rows and lists: keys of one bucket lie side by side. */
export const byBucket = (key: number): number => ((key << (32 - BUCKET_BITS)) | (key >>> BUCKET_BITS)) >>> 0;

/**
 * The key of an entity: FNV-1a of its id's first 256 bytes, 32 bits, signed; `trail.entity_hash` in SQL.
 *
 * @see https://datatracker.ietf.org/doc/html/draft-eastlake-fnv
 */
export function entityHash(bytes: DataView, start: number, length: number): number {
  let hash = 0x811c9dc5 | 0;
  for (let at = start, end = start + Math.min(length, HASHED_BYTES); at < end; at++)
    hash = Math.imul(hash ^ bytes.getUint8(at), 0x01000193);
  return hash;
}

/** A bitmap that is compared with places. */
const OTHER_BYTES = new Uint8Array(BITMAP_BYTES);
const OTHER_WORDS = new Uint32Array(OTHER_BYTES.buffer);

/** Places of a chunk. */
export class Places {
  readonly #bytes = new Uint8Array(BITMAP_BYTES);
  readonly #words = new Uint32Array(this.#bytes.buffer);
  #count = 0;

  get count(): number {
    return this.#count;
  }

  /** Adds the lists of some keys, as they stand in a row of `trail.posting`. */
  addLists(lists: Buffer, keys: ReadonlySet<number>): void {
    forEachList(lists, (key, count, at) => {
      if (!keys.has(key)) return;
      if (count < FEWEST_IN_BITMAP) this.#addPlaces(lists, at, at + 2 * count);
      else this.#addBitmap(lists.subarray(at, at + BITMAP_BYTES), count);
    });
  }

  /** How many of these places each of some lists has, as they stand in rows of `trail.posting`. */
  countIn(lists: Buffer, each: (key: number, count: number) => void): void {
    forEachList(lists, (key, count, at) => {
      const isBitmap = count >= FEWEST_IN_BITMAP;
      each(key, isBitmap ? this.#countBitmap(lists, at) : this.#countPlaces(lists, at, at + 2 * count));
    });
  }

  /** Leaves those that are in both. */
  intersect(other: Places): void {
    const words = this.#words;
    let count = 0;
    for (let index = 0; index < words.length; index++)
      count += bitsOf((words[index]! &= other.#words[index]!));
    this.#count = count;
  }

  /** Ascending. */
  list(): number[] {
    const places: number[] = [];
    const words = this.#words;
    for (let index = 0; index < words.length; index++) {
      if (words[index] === 0) continue;
      // By bytes, since their order in a word is the machine's.
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
    // By words, which lie anywhere in the row.
    OTHER_BYTES.set(lists.subarray(start, start + BITMAP_BYTES));
    const words = this.#words;
    let count = 0;
    for (let index = 0; index < words.length; index++) count += bitsOf(words[index]! & OTHER_WORDS[index]!);
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
    for (const word of this.#words) this.#count += bitsOf(word);
  }
}

/** @param visit gets a key, the number of its places, and where these are in `lists` */
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

/** Bits of a word that are set. */
function bitsOf(word: number): number {
  const pairs = word - ((word >>> 1) & 0x55555555);
  const nibbles = (pairs & 0x33333333) + ((pairs >>> 2) & 0x33333333);
  return Math.imul((nibbles + (nibbles >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24;
}
