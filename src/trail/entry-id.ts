/**
 * Layout of an entry's id, defined here once for the writer and the readers. The SQL in `sql/trail/` uses the
 * same layout.
 *
 *   bit   44         32 31            16 15    14 13           0
 *        +-------------+----------------+--------+-------------+
 *        |  day        |  number of the entry in its day       |
 *        +-------------+----------------+--------+-------------+
 *        |  block                       |        |             |
 *        |  chunk                                |  place      |
 *        +------------------------------+--------+-------------+
 *
 * A day is the UTC day on which the entry was stored, counted from 2026-01-01. A chunk is 16,384 entries that
 * share posting lists (posting-lists.ts). The place of an entry is its number in the chunk. A block is four
 * chunks that share one summary (`trail.block`). In SQL, days, blocks and chunks are int4, and ids are int8.
 */
/** Number of bits of an entry's number in its day. */
const NUMBER_BITS = 32;
const CHUNK_BITS = 14;
const BLOCK_BITS = 16;
/** Number of entries in a full chunk. The last chunk of a day may be shorter. */
export const CHUNK_ENTRIES = 1 << CHUNK_BITS;
/** Number of chunks in a full block. */
export const BLOCK_CHUNKS = 1 << (BLOCK_BITS - CHUNK_BITS);
/** Number of ids in a day. */
const DAY_ENTRIES = 2 ** NUMBER_BITS;
const CHUNK_OF_DAY_BITS = NUMBER_BITS - CHUNK_BITS;
const CHUNK_OF_BLOCK_BITS = BLOCK_BITS - CHUNK_BITS;
/**
 * Bits of a non-negative int4. There are more chunks than days or blocks, so the chunk numbers run out first:
 * they suffice until the year 2048.
 */
const CHUNK_NUMBER_BITS = 31;
/** Greatest possible id of an entry. */
export const MAX_ENTRY_ID = (1n << BigInt(CHUNK_NUMBER_BITS + CHUNK_BITS)) - 1n;

const DAY_MS = 86_400_000;
/** Midnight at the start of day 0. `trail.today` uses the same time in SQL. */
const FIRST_DAY_MS = Date.UTC(2026, 0, 1);

const NUMBER_BITS_64 = BigInt(NUMBER_BITS);
const CHUNK_BITS_64 = BigInt(CHUNK_BITS);
const NUMBER_MASK_64 = BigInt(DAY_ENTRIES - 1);

/** Returns the day of a time, given in milliseconds since 1970. */
export const dayAt = (timeMs: number): number => Math.floor((timeMs - FIRST_DAY_MS) / DAY_MS);

/** Returns the date of a day, such as `2026-11-29`. A number that is not a valid day is returned as text. */
export const dateOfDay = (day: number): string =>
  day >= 0 && day <= dayOfId(MAX_ENTRY_ID)
    ? new Date(FIRST_DAY_MS + day * DAY_MS).toISOString().slice(0, 10)
    : String(day);

/** Returns the id of the entry with a number in a day. */
export const entryId = (day: number, number: number): bigint => firstIdOfDay(day) | BigInt(number);

/**
 * Returns the day of an entry. The id may be a JavaScript number, because its 45 bits fit into the 53 exact
 * bits of one.
 */
export const dayOfId = (id: bigint | number): number => Math.floor(Number(id) / DAY_ENTRIES);

/** Returns the number of an entry in its day. */
export const numberOfId = (id: bigint): number => Number(id & NUMBER_MASK_64);

/** Returns the chunk of an entry. */
export const chunkOfId = (id: bigint): number => Number(id >> CHUNK_BITS_64);

/** Returns the chunk of the entry with a number in a day. */
export const chunkOf = (day: number, number: number): number =>
  (day << CHUNK_OF_DAY_BITS) | (number >>> CHUNK_BITS);

/** Returns the place in its chunk of the entry with a number in its day. */
export const placeOf = (number: number): number => number & (CHUNK_ENTRIES - 1);

/** Returns the block of a chunk. */
export const blockOfChunk = (chunk: number): number => chunk >> CHUNK_OF_BLOCK_BITS;

/** Returns the lowest possible id of an entry in a day. */
export const firstIdOfDay = (day: number): bigint => BigInt(day) << NUMBER_BITS_64;

/** Returns the lowest possible id of an entry in a chunk. */
export const firstIdOfChunk = (chunk: number): bigint => BigInt(chunk) << CHUNK_BITS_64;

/**
 * The same functions for SQL: they take SQL expressions and return one. An argument must be a name, a call,
 * or an expression in brackets.
 */
export const ID_SQL = {
  dayOfId: (id: string) => `(${id} >> ${NUMBER_BITS})::int4`,
  chunkOfId: (id: string) => `(${id} >> ${CHUNK_BITS})::int4`,
  blockOfChunk: (chunk: string) => `(${chunk} >> ${CHUNK_OF_BLOCK_BITS})`,
  firstIdOfDay: (day: string) => `(${day}::int8 << ${NUMBER_BITS})`,
  firstIdOfChunk: (chunk: string) => `(${chunk}::int8 << ${CHUNK_BITS})`,
  /** One more than the last id of a chunk. */
  endOfChunk: (chunk: string) => `((${chunk}::int8 + 1) << ${CHUNK_BITS})`,
  firstIdOfBlock: (block: string) => `(${block}::int8 << ${BLOCK_BITS})`,
  /** Midnight in UTC at the start of a day. */
  timeOfDay: (day: string) => `(timestamptz '2026-01-01 00:00:00+00' + (${day}) * interval '24 hours')`,
  endOfBlock: (block: string) => `((${block}::int8 + 1) << ${BLOCK_BITS})`,
} as const;
