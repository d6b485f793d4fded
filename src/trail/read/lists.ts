import { runsOf } from './ids.js';
import { bucketOf, BUCKETS, POSTING_DIMENSIONS, type PostingDimension } from '../posting-lists.js';
import type { Snapshot } from './snapshot.js';

/** Posting lists of a chunk, in the encoding of posting-lists.ts. */
export interface ChunkLists {
  readonly chunk: number;
  readonly lists: Buffer;
}

/** Rows of `trail.posting` to read. */
export interface WantedRows {
  readonly dimension: PostingDimension;
  readonly buckets: readonly number[];
  /** Numbers of chunks, in any order. */
  readonly chunks: readonly number[];
}

/**
 * Largest number of rows that are read together, unless one chunk has more. A row with a bitmap takes 2 kB.
 */
const ROWS_TOGETHER = 4_096;
/**
 * Number of chunks for which joined lists are read together. All lists of a chunk take 32 kB and 6 bytes for
 * each key, at most 128 kB. Rows that arrive together are counted without a pause, and capture waits during
 * that time.
 */
const CHUNKS_TOGETHER = 16;

/** Reads rows of `trail.posting` in portions. */
export const readLists = (snapshot: Snapshot, wanted: WantedRows): AsyncGenerator<readonly ChunkLists[]> =>
  read(snapshot, {
    wanted,
    together: Math.ceil(ROWS_TOGETHER / wanted.buckets.length),
    sql: `select p.chunk, p.lists from ${POSTINGS}`,
  });

/** Reads rows in portions, with the rows of a chunk joined. Separate rows would take a quarter longer. */
export const readJoinedLists = (
  snapshot: Snapshot,
  wanted: WantedRows,
): AsyncGenerator<readonly ChunkLists[]> =>
  read(snapshot, {
    wanted,
    together: CHUNKS_TOGETHER,
    sql: `select p.chunk, pg_catalog.string_agg(p.lists, '') as lists from ${POSTINGS} group by p.chunk`,
  });

const POSTINGS = /* sql */ `unnest($1::int4[], $2::int4[]) as run (first, last)
  cross join lateral (
    select chunk, lists from trail.posting
     where dimension = $3::"char" and bucket = any($4::int2[]) and chunk between run.first and run.last
    offset 0) p`;

async function* read(
  snapshot: Snapshot,
  { wanted, together, sql }: { readonly wanted: WantedRows; readonly together: number; readonly sql: string },
): AsyncGenerator<readonly ChunkLists[], void, undefined> {
  // Sorted, because adjacent chunks are one range of the primary key.
  const chunks = [...wanted.chunks].sort((a, b) => a - b);
  for (let at = 0; at < chunks.length; at += together) {
    const runs = runsOf(chunks.slice(at, at + together));
    const { rows } = await snapshot.queryKept<ChunkLists>(sql, [
      runs.map(({ first }) => first),
      runs.map(({ last }) => last),
      POSTING_DIMENSIONS[wanted.dimension],
      wanted.buckets,
    ]);
    yield rows;
  }
}

/** Returns the buckets that hold the lists of these keys. */
export function bucketsOf(keys: Iterable<number>): number[] {
  const buckets = new Set<number>();
  for (const key of keys) if (buckets.add(bucketOf(key)).size === BUCKETS) break;
  return [...buckets];
}
