import { MAX_ENTRY_ID } from '../entry-id.js';
import { wantedLists } from './candidates.js';
import { completeChunks, openRanges, storedIds } from './chunks.js';
import { countIds, countOutside, countRange } from './count-entries.js';
import { countInLists } from './count-lists.js';
import { countInSummaries, isAnswered } from './count-summaries.js';
import { addCounts, noCounts, subtractCounts, type Counting, type DimensionCounts } from './counts.js';
import { mostTogether } from './filter.js';
import { idsOfChunks, narrowed, runsOf } from './ids.js';
import { DayClock, type Snapshot } from './snapshot.js';

/**
 * Counts the entries of a filter by their values in some dimensions. Summaries are used where they have the
 * counts, then posting lists for the remaining complete chunks. All other entries, and those of open chunks,
 * are counted one by one.
 */
export async function countDimensions(snapshot: Snapshot, counting: Counting): Promise<DimensionCounts> {
  const { filter, dimensions } = counting;
  const counts = noCounts(dimensions);
  const clock = new DayClock(snapshot);
  const range = storedIds(snapshot, { above: 0n, below: counting.below ?? MAX_ENTRY_ID });

  const summarized = await countInSummaries(snapshot, counting);
  addCounts(counts, summarized.counts);
  for (const chunk of summarized.overhanging)
    subtractCounts(counts, await countOutside(snapshot, { counting, chunk }));

  const complete = await completeChunks(snapshot, { filter, ids: range, order: 'asc' });
  const chunks = complete.filter((chunk) => !isAnswered(summarized, chunk));
  const wanted = wantedLists(filter).map((lists) =>
    lists.dimension === summarized.by ? { ...lists, keysByBlock: summarized.blocks } : lists,
  );
  if (wanted.length === 0) {
    for (const { first, last } of runsOf(chunks, mostTogether(filter))) {
      const ofRun = narrowed(range, idsOfChunks(first, last));
      addCounts(counts, await countRange(snapshot, { counting, clock, range: ofRun }));
    }
  } else {
    for await (const listed of countInLists(snapshot, { counting, chunks, wanted, range })) {
      addCounts(counts, listed.counts);
      for (const ids of listed.left) addCounts(counts, await countIds(snapshot, { counting, clock, ids }));
    }
  }

  for (const open of openRanges(snapshot, range))
    addCounts(counts, await countRange(snapshot, { counting, clock, range: open }));
  return counts;
}
