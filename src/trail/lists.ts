import { runsOf } from './ids.js';
import { bucketOf, BUCKETS, POSTING_DIMENSIONS, type PostingDimension } from './posting-lists.js';
import type { Snapshot } from './snapshot.js';

/** Lists of a chunk, encoded as posting-lists.ts says. */
export interface ChunkLists {
  readonly chunk: number;
  readonly lists: Buffer;
}

/** Which rows of `trail.posting` to read. */
export interface WantedRows {
  readonly dimension: PostingDimension;
  readonly buckets: readonly number[];
  readonly chunks: readonly number[];
}

/** In memory, of 2 kB where they are bitmaps. */
const ROWS_TOGETHER = 4_096;
/** All lists of one are 32 kB and 6 bytes for each key, at most 128 kB: what comes together is counted in one go, and capture waits. */
const CHUNKS_TOGETHER = 16;

/** Reads rows in portions. */
export async function* readLists(
  snapshot: Snapshot,
  wanted: WantedRows,
): AsyncGenerator<readonly ChunkLists[], void, undefined> {
  const together = Math.ceil(ROWS_TOGETHER / wanted.buckets.length);
  for (const chunks of portions(wanted.chunks, together)) {
    const { rows } = await snapshot.query<ChunkLists>(
      `select p.chunk, p.lists from ${POSTINGS}`,
      parameters({ ...wanted, chunks }),
    );
    yield rows;
  }
}

/** Reads rows in portions, those of a chunk joined: one by one many of them would take a quarter longer. */
export async function* readJoinedLists(
  snapshot: Snapshot,
  wanted: WantedRows,
): AsyncGenerator<readonly ChunkLists[], void, undefined> {
  for (const chunks of portions(wanted.chunks, CHUNKS_TOGETHER)) {
    const { rows } = await snapshot.query<ChunkLists>(
      `select p.chunk, pg_catalog.string_agg(p.lists, '') as lists from ${POSTINGS} group by p.chunk`,
      parameters({ ...wanted, chunks }),
    );
    yield rows;
  }
}

const POSTINGS = /* sql */ `unnest($1::int4[], $2::int4[]) as run (first, last)
  cross join lateral (
    select chunk, lists from trail.posting
     where dimension = $3::"char" and bucket = any($4::int2[]) and chunk between run.first and run.last
    offset 0) p`;

function parameters({ dimension, buckets, chunks }: WantedRows): unknown[] {
  const runs = runsOf(chunks);
  const [first, last] = [runs.map((run) => run.first), runs.map((run) => run.last)];
  return [first, last, POSTING_DIMENSIONS[dimension], buckets];
}

/** Where lists of these keys are. */
export function bucketsOf(keys: Iterable<number>): number[] {
  const buckets = new Set<number>();
  for (const key of keys) if (buckets.add(bucketOf(key)).size === BUCKETS) break;
  return [...buckets];
}

function* portions(chunks: readonly number[], length: number): Generator<readonly number[]> {
  for (let at = 0; at < chunks.length; at += length) yield chunks.slice(at, at + length);
}
