import { blockOfChunk, chunkOfId, ID_SQL } from '../entry-id.js';
import { COLUMNS, DIMENSIONS, idsOf } from './dimensions.js';
import type { StoredFilter } from './filter.js';
import { Parameters } from './parameters.js';
import { idsOfDays, narrowed, type IdRange } from './ids.js';
import type { Snapshot } from './snapshot.js';

/** Narrows a range to the ids of stored entries. */
export const storedIds = ({ firstId, head }: Snapshot, range: IdRange): IdRange =>
  narrowed(range, { above: firstId, below: BigInt(head?.nextId ?? 0) });

/** Returns the parts of a range that have no posting lists yet: one range for each day, ascending. */
export const openRanges = ({ openFrom, openDays }: Snapshot, range: IdRange): IdRange[] =>
  openDays.map((day) => narrowed(narrowed(range, { above: openFrom }), idsOfDays(day, 1)));

/**
 * Returns the complete chunks that a range of ids touches. Leaves out chunks with all their commit times
 * outside the filter's time range.
 */
export async function completeChunks(
  snapshot: Snapshot,
  options: { readonly filter: StoredFilter; readonly ids: IdRange; readonly order: 'asc' | 'desc' },
): Promise<number[]> {
  const { filter, order } = options;
  const { above, below } = narrowed(options.ids, { below: snapshot.openFrom });
  if (above >= below) return [];
  const parameters = new Parameters();
  // If the filter has a time range, chunks are not looked up by their number: the plan knows no values, so
  // the planner could not choose the more selective condition.
  const isTimed = filter.from !== '-infinity';
  const { rows } = await snapshot.queryKept<{ chunks: number[] }>(
    /* sql */ `
    select coalesce(array_agg(chunk order by chunk ${order}), '{}') as chunks from trail.chunk
     where chunk${isTimed ? ' + 0' : ''} between ${parameters.add(chunkOfId(above), 'int4')}
                     and ${parameters.add(chunkOfId(below - 1n), 'int4')}
       ${isTimed ? `and last_committed_at >= ${parameters.add(filter.from, 'timestamptz')}` : ''}
       ${filter.to === 'infinity' ? '' : `and first_committed_at < ${parameters.add(filter.to, 'timestamptz')}`}`,
    parameters.values,
  );
  return rows[0]!.chunks;
}

/** Returns the chunks that lie entirely in the filter's time range and in a range of ids. */
export async function chunksInRange(
  snapshot: Snapshot,
  options: { readonly filter: StoredFilter; readonly ids: IdRange; readonly chunks: readonly number[] },
): Promise<ReadonlySet<number>> {
  const { filter, ids, chunks } = options;
  if (chunks.length === 0) return new Set();
  const { rows } = await snapshot.queryKept<{ chunk: number }>(
    /* sql */ `
    select chunk from trail.chunk
     where chunk = any($1::int4[]) and first_committed_at >= $2::timestamptz and last_committed_at < $3::timestamptz
       and ${ID_SQL.firstIdOfChunk('chunk')} >= $4::int8 and ${ID_SQL.endOfChunk('chunk')} <= $5::int8`,
    [chunks, filter.from, filter.to, ids.above.toString(), ids.below.toString()],
  );
  return new Set(rows.map(({ chunk }) => chunk));
}

/**
 * Returns the chunks that may contain the values of a filter together. Leaves out chunks if the summaries of
 * their block exclude this: the summary of a block's entries with one value lists their other values. A chunk
 * stays if its block has no such summary, because there is none yet or the value is too rare for one.
 */
export async function chunksWithAllValues(
  snapshot: Snapshot,
  options: { readonly filter: StoredFilter; readonly chunks: readonly number[] },
): Promise<readonly number[]> {
  const { filter, chunks } = options;
  const filtered = DIMENSIONS.map((dimension) => ({
    ...COLUMNS[dimension],
    ids: idsOf(filter, dimension),
  })).filter(({ ids }) => ids !== null);
  // Modifiers are not used for this, because many are too rare for a summary of their own.
  const one = filtered.find(({ ids, letter }) => ids?.length === 1 && letter !== 'm');
  const others = filtered.filter((dimension) => dimension !== one);
  if (one === undefined || others.length === 0 || chunks.length === 0) return chunks;
  const parameters = new Parameters();
  const has = others.map(({ values, ids }) => `${values} && ${parameters.add(ids, 'int4[]')}`).join(' and ');
  const [first, last] = [chunks[0]!, chunks.at(-1)!].sort((a, b) => a - b);
  const { rows } = await snapshot.queryKept<{ blocks: number[] }>(
    /* sql */ `
    select coalesce(array_agg(block), '{}') as blocks from trail.block_value
     where dimension = '${one.letter}' and value = ${parameters.add(one.ids![0]!, 'int4')}
       and block between ${parameters.add(blockOfChunk(first!), 'int4')}
                     and ${parameters.add(blockOfChunk(last!), 'int4')} and not (${has})`,
    parameters.values,
  );
  const without = new Set(rows[0]!.blocks);
  return chunks.filter((chunk) => !without.has(blockOfChunk(chunk)));
}
