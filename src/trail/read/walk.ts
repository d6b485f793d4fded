import {
  completeChunks,
  idsInPortions,
  ListReader,
  openRanges,
  storedIds,
  wantedLists,
  withAllWords,
} from './candidates.js';
import {
  byStatement,
  MAX_WALK_BYTES,
  readStretch,
  type EntryRow,
  type Stretch,
  type Walk,
} from './entry-row.js';
import { idsOfChunks, narrowed, runsOf, type IdRange } from './ids.js';
import { DayClock, type Snapshot } from './snapshot.js';

/** Rows in the order of the walk. */
export interface Walked {
  readonly rows: readonly EntryRow[];
  /** Ended by the limit, of rows or of bytes: there may be more. */
  readonly more: boolean;
}

/**
 * The first `limit` rows of a walk over the entries of a filter, or fewer where their values are large, but at least one. What the
 * posting lists do not name is not looked at, so the cost is bounded by the number of chunks however rare a match is.
 */
export async function walkEntries(snapshot: Snapshot, walk: Walk): Promise<Walked> {
  const rows: EntryRow[] = [];
  let bytes = 0;
  const clock = new DayClock(snapshot);
  for await (const stretch of stretches(snapshot, walk)) {
    for (const part of byStatement(stretch, { order: walk.order, hasText: walk.filter.q !== null })) {
      clock.reads(part.firstDay);
      const rest = { ...walk, limit: walk.limit - rows.length };
      for (const row of await readStretch(snapshot, { part, walk: rest, bytes })) {
        bytes = Number(row.bytes);
        if (rows.length > 0 && bytes > MAX_WALK_BYTES) return { rows, more: true };
        rows.push(row);
      }
      if (rows.length >= walk.limit) return { rows, more: true };
    }
  }
  return { rows, more: false };
}

/** Complete chunks whose lists are read together: a usual word fills the page from the first few. */
const FEWEST_CHUNKS = 8;
const MORE_CHUNKS = 16;
const MOST_CHUNKS = 2_048;
const AMPLE = 1.3;
const IDS_TOGETHER = 8_192;

/** In the order of the walk. */
async function* stretches(snapshot: Snapshot, walk: Walk): AsyncGenerator<Stretch, void, undefined> {
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
    for (const { first, last } of runsOf(chunks)) yield narrowed(ids, idsOfChunks(first, last));
    return;
  }
  const lists = new ListReader(snapshot, wanted);
  let entries = 0;
  for (let at = 0, count = FEWEST_CHUNKS; at < chunks.length;) {
    const some = chunks.slice(at, at + count);
    let found = 0;
    const candidates = (await lists.find(some)).found;
    for (const portion of idsInPortions(candidates, {
      chunks: some,
      range: ids,
      order,
      portion: IDS_TOGETHER,
    })) {
      found += portion.length;
      yield { ids: portion };
    }
    entries += found;
    at += some.length;
    // Where the first few do not fill a page, words may be frequent and never together.
    if (count === FEWEST_CHUNKS && at < chunks.length) {
      chunks = await withAllWords(snapshot, { filter, chunks: chunks.slice(at) });
      at = 0;
    }
    // As many as should fill it now, or many more, since nobody knows.
    const most = Math.min(MORE_CHUNKS * count, MOST_CHUNKS);
    const enough = (AMPLE * (walk.limit - entries) * count) / found;
    count = enough > 0 ? Math.min(Math.max(Math.ceil(enough), FEWEST_CHUNKS + 1), most) : most;
  }
}
