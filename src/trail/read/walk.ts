import { CandidateFinder, idsInPortions, wantedLists } from './candidates.js';
import { chunksWithAllValues, completeChunks, openRanges, storedIds } from './chunks.js';
import { mostTogether, takesTurns } from './filter.js';
import {
  byStatement,
  MAX_WALK_BYTES,
  readStretch,
  type EntryRow,
  type Stretch,
  type Walk,
} from './entry-row.js';
import { idsOfChunks, narrowed, runsOf, type IdRange } from './ids.js';
import { DayClock, inTurn, type Snapshot } from './snapshot.js';

/** Rows in the order of the walk. */
export interface Walked {
  readonly rows: readonly EntryRow[];
  /** Whether a limit of rows or bytes ended the walk, so there may be further rows. */
  readonly more: boolean;
}

/**
 * Reads the first `limit` rows of a walk over the entries of a filter, or fewer if their values are large,
 * but at least one. Entries that posting lists exclude are not read. The cost is therefore bounded by the
 * number of chunks, even if matches are rare.
 */
export async function walkEntries(snapshot: Snapshot, walk: Walk): Promise<Walked> {
  const rows: EntryRow[] = [];
  let bytes = 0;
  const clock = new DayClock(snapshot);
  const hasText = walk.filter.q !== null;
  for await (const stretch of stretches(snapshot, walk)) {
    for (const part of byStatement(stretch, { order: walk.order, hasText })) {
      clock.reads(part.firstDay);
      const rest = { ...walk, limit: walk.limit - rows.length };
      const read = (): ReturnType<typeof readStretch> => readStretch(snapshot, { part, walk: rest, bytes });
      for (const row of await inTurn(snapshot, { clock, takesTurns: takesTurns(walk.filter) }, read)) {
        bytes = Number(row.bytes);
        if (rows.length > 0 && bytes > MAX_WALK_BYTES) return { rows, more: true };
        rows.push(row);
      }
      if (rows.length >= walk.limit) return { rows, more: true };
    }
  }
  return { rows, more: false };
}

/**
 * Number of complete chunks for which lists are read together at first. They suffice to fill a page with a
 * frequent value.
 */
const FEWEST_CHUNKS = 8;
/** Greatest factor by which the number of chunks read together may grow in one step. */
const MOST_TIMES_AS_MANY = 16;
const MOST_CHUNKS = 2_048;
/** Safety factor on the number of chunks that should suffice. */
const AMPLE = 1.3;
/** Number of ids at which a stretch is complete. */
const IDS_TOGETHER = 8_192;

/** Yields stretches with the entries that lists do not exclude, in the order of the walk. */
export async function* stretches(snapshot: Snapshot, walk: Walk): AsyncGenerator<Stretch, void, undefined> {
  const all = storedIds(snapshot, walk);
  const open = openRanges(snapshot, all);
  const complete = narrowed(all, { below: snapshot.openFrom });
  if (walk.order === 'desc') yield* open.reverse();
  yield* completeStretches(snapshot, { walk, ids: complete });
  if (walk.order === 'asc') yield* open;
}

async function* completeStretches(
  snapshot: Snapshot,
  { walk, ids }: { readonly walk: Walk; readonly ids: IdRange },
): AsyncGenerator<Stretch, void, undefined> {
  const { filter, order } = walk;
  const wanted = wantedLists(filter);
  let chunks: readonly number[] = await completeChunks(snapshot, { filter, ids, order });
  if (wanted.length === 0) {
    for (const { first, last } of runsOf(chunks, mostTogether(filter)))
      yield narrowed(ids, idsOfChunks(first, last));
    return;
  }
  const finder = new CandidateFinder(snapshot, wanted);
  let entries = 0;
  for (let at = 0, together = FEWEST_CHUNKS; at < chunks.length;) {
    const some = chunks.slice(at, at + together);
    let count = 0;
    const { found } = await finder.find(some);
    for (const portion of idsInPortions(found, {
      chunks: some,
      range: ids,
      order,
      portion: IDS_TOGETHER,
    })) {
      count += portion.length;
      yield { ids: portion };
    }
    entries += count;
    at += some.length;
    // If the first chunks do not suffice, the values of the filter may be frequent but never occur together.
    if (together === FEWEST_CHUNKS && at < chunks.length) {
      chunks = await chunksWithAllValues(snapshot, { filter, chunks: chunks.slice(at) });
      at = 0;
    }
    // Next, read the number of chunks that should suffice if matches stay equally frequent. If their
    // frequency is unknown, read many more.
    const most = Math.min(MOST_TIMES_AS_MANY * together, MOST_CHUNKS);
    const enough = (AMPLE * (walk.limit - entries) * together) / count;
    together = enough > 0 ? Math.min(Math.max(Math.ceil(enough), FEWEST_CHUNKS + 1), most) : most;
  }
}
