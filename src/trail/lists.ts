import { runsOf } from './ids.js';
import { bucketOf, POSTING_DIMENSIONS, type PostingDimension } from './posting-lists.js';
import type { Snapshot } from './snapshot.js';

/** Lists of a chunk, encoded as posting-lists.ts says. */
export interface ChunkLists {
  readonly chunk: number;
  readonly lists: Buffer;
}

interface Wanted {
  readonly dimension: PostingDimension;
  readonly keys: Iterable<number>;
  readonly chunks: readonly number[];
}

/** In memory, of 2 kB where they are bitmaps. */
const ROWS_TOGETHER = 4_096;
/** Of whose rows PostgreSQL sorts as many as its usual `work_mem` holds: all lists of one are 32 kB and 6 bytes for each key. */
const CHUNKS_TOGETHER = 64;

/** Reads the lists of a few keys, and of those that share a row with them, in portions. A chunk has several rows. */
export async function* readLists(
  snapshot: Snapshot,
  wanted: Wanted,
): AsyncGenerator<readonly ChunkLists[], void, undefined> {
  const buckets = bucketsOf(wanted);
  const together = Math.ceil(ROWS_TOGETHER / buckets.length);
  for (const chunks of portions(wanted.chunks, together)) {
    const { rows } = await snapshot.query<ChunkLists>(
      `select p.chunk, p.lists from ${POSTINGS}`,
      parameters({ ...wanted, chunks, buckets }),
    );
    yield rows;
  }
}

/** Reads the lists of most keys of a dimension, those of a chunk in one: a row for each would take a quarter longer. */
export async function* readJoinedLists(
  snapshot: Snapshot,
  wanted: Wanted,
): AsyncGenerator<readonly ChunkLists[], void, undefined> {
  const buckets = bucketsOf(wanted);
  for (const chunks of portions(wanted.chunks, CHUNKS_TOGETHER)) {
    const { rows } = await snapshot.query<ChunkLists>(
      `select p.chunk, pg_catalog.string_agg(p.lists, '') as lists from ${POSTINGS} group by p.chunk`,
      parameters({ ...wanted, chunks, buckets }),
    );
    yield rows;
  }
}

const POSTINGS = /* sql */ `unnest($1::int4[], $2::int4[]) as run (first, last)
  cross join lateral (
    select chunk, lists from trail.posting
     where dimension = $3::"char" and bucket = any($4::int2[]) and chunk between run.first and run.last
    offset 0) p`;

function parameters(of: {
  readonly dimension: PostingDimension;
  readonly buckets: readonly number[];
  readonly chunks: readonly number[];
}): unknown[] {
  const runs = runsOf(of.chunks);
  const [first, last] = [runs.map((run) => run.first), runs.map((run) => run.last)];
  return [first, last, POSTING_DIMENSIONS[of.dimension], of.buckets];
}

const bucketsOf = ({ keys }: Wanted): number[] => [...new Set(Array.from(keys, bucketOf))];

function* portions(chunks: readonly number[], length: number): Generator<readonly number[]> {
  for (let at = 0; at < chunks.length; at += length) yield chunks.slice(at, at + length);
}
