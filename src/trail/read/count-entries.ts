import {
  completeChunks,
  idsInPortions,
  ListReader,
  openRanges,
  storedIds,
  wantedLists,
  wholeChunks,
  type WantedLists,
} from './candidates.js';
import { ListCounter } from './count-lists.js';
import { blockOfChunk, dayOfId, MAX_ENTRY_ID } from '../entry-id.js';
import { COLUMNS, type Dimension } from './dimensions.js';
import { conditionsSql, isKnownToLists, Parameters, type StoredFilter } from './filter.js';
import { arrayOf, idsOfChunks, inDays, narrowed, runsOf, type IdRange } from './ids.js';
import type { Places } from '../posting-lists.js';
import { DayClock, type Snapshot } from './snapshot.js';

export interface Counting {
  readonly filter: StoredFilter;
  readonly dimensions: readonly Dimension[];
  /** Count ids below this only. */
  readonly below?: bigint;
}

export type Add = (dimension: Dimension, value: number, count: number) => void;

/** What summaries have answered for. */
export interface Summed {
  readonly blocks: Set<number>;
  readonly chunks: Set<number>;
  /** Of those blocks the values that are too rare for a summary of their own. */
  readonly missing: Map<number, number[]>;
  /** Those of the chunks that also have entries outside of the range, which have to be taken off again. */
  readonly partly: number[];
}

/** Complete chunks whose lists are read together. */
const CHUNKS_TOGETHER = 512;
/** And entries that are counted together. */
const IDS_TOGETHER = 65_536;

/** Counts what no summary has answered: in the lists where these know enough, otherwise in the entries. */
export async function countUnsummed(
  snapshot: Snapshot,
  options: {
    readonly counting: Counting;
    readonly summed: Summed;
    readonly each: Dimension | undefined;
    readonly add: Add;
  },
): Promise<void> {
  const { counting, summed, each, add } = options;
  const { filter } = counting;
  const entries = { counting, add, clock: new DayClock(snapshot) };
  const range = storedIds(snapshot, { above: 0n, below: counting.below ?? MAX_ENTRY_ID });
  const isAnswered = (chunk: number): boolean =>
    summed.chunks.has(chunk) ||
    (summed.blocks.has(blockOfChunk(chunk)) && !summed.missing.has(blockOfChunk(chunk)));
  const chunks = (await completeChunks(snapshot, { filter, ids: range, order: 'asc' })).filter(
    (chunk) => !isAnswered(chunk),
  );
  const wanted = wantedLists(filter).map((lists) =>
    lists.dimension === each
      ? { ...lists, keysIn: (chunk: number) => keysIn(chunk, { summed, keys: lists.keys }) }
      : lists,
  );
  if (wanted.length === 0) {
    for (const { first, last } of runsOf(chunks))
      await countRange(snapshot, { ...entries, range: narrowed(range, idsOfChunks(first, last)) });
  } else {
    await countWanted(snapshot, { ...entries, chunks, wanted, range });
  }
  for (const open of openRanges(snapshot, range)) await countRange(snapshot, { ...entries, range: open });
}

/** In chunks that lie in the range whole their lists say all, unless the filter is one that lists only narrow down. */
async function countWanted(
  snapshot: Snapshot,
  options: CountingEntries & {
    readonly chunks: readonly number[];
    readonly wanted: readonly WantedLists[];
    readonly range: IdRange;
  },
): Promise<void> {
  const { counting, chunks, range } = options;
  const { filter } = counting;
  const known = isKnownToLists(filter) ? chunks : [];
  const whole = await wholeChunks(snapshot, { filter, ids: range, chunks: known });
  const lists = new ListReader(snapshot, options.wanted);
  const counter = new ListCounter(snapshot, options);
  for (let at = 0; at < chunks.length; at += CHUNKS_TOGETHER) {
    const some = chunks.slice(at, at + CHUNKS_TOGETHER);
    const { found, isExact } = await lists.find(some);
    const many = new Map<number, Places>();
    for (const [chunk, places] of isExact ? found : []) {
      if (places.count < counter.fewest || !whole.has(chunk)) continue;
      many.set(chunk, places);
      found.delete(chunk);
    }
    await counter.count(many);
    for (const ids of idsInPortions(found, { chunks: some, range, order: 'asc', portion: IDS_TOGETHER }))
      await countIds(snapshot, { ...options, ids });
  }
}

/** In a block that has a summary those keys that are too rare for a row of their own, otherwise all. */
function keysIn(
  chunk: number,
  { summed, keys }: { readonly summed: Summed; readonly keys: ReadonlySet<number> },
): ReadonlySet<number> {
  const block = blockOfChunk(chunk);
  return summed.blocks.has(block) ? new Set(summed.missing.get(block)) : keys;
}

/** Of a chunk that has more entries in the range than outside of it, presumably. */
export async function subtractOutside(
  snapshot: Snapshot,
  options: { readonly counting: Counting; readonly chunk: number; readonly add: Add },
): Promise<void> {
  const { filter, dimensions } = options.counting;
  const parameters = new Parameters();
  const { above, below } = idsOfChunks(options.chunk, options.chunk);
  const rows = `trail.entry e
     where e.id >= ${parameters.add(above.toString(), 'int8')} and e.id < ${parameters.add(below.toString(), 'int8')}
       and (e.committed_at < ${parameters.add(filter.from, 'timestamptz')} or e.committed_at >= ${parameters.add(filter.to, 'timestamptz')})`;
  await countRows(snapshot, {
    rows,
    parameters,
    dimensions,
    add: (dimension, value, count) => options.add(dimension, value, -count),
  });
}

interface CountingEntries {
  readonly counting: Counting;
  readonly clock: DayClock;
  readonly add: Add;
}

/** Of one day: a statement that names it opens one partition. */
async function countRange(
  snapshot: Snapshot,
  options: CountingEntries & { readonly range: IdRange },
): Promise<void> {
  const { filter, dimensions } = options.counting;
  const { above, below } = options.range;
  if (above >= below) return;
  options.clock.reads(dayOfId(above));
  const parameters = new Parameters();
  const rows = `trail.entry e where e.id >= ${above} and e.id < ${below} ${conditionsSql(filter, parameters)}`;
  await countRows(snapshot, { rows, parameters, dimensions, add: options.add });
}

async function countIds(
  snapshot: Snapshot,
  options: CountingEntries & { readonly ids: readonly number[] },
): Promise<void> {
  const { filter, dimensions } = options.counting;
  for (let at = 0, end: number; at < options.ids.length; at = end) {
    const day = dayOfId(options.ids[at]!);
    for (end = at + 1; end < options.ids.length && dayOfId(options.ids[end]!) === day; end++);
    options.clock.reads(day);
    const parameters = new Parameters();
    // Hidden from the planner, which would estimate each of them for as long as it takes to read them.
    const rows = `trail.entry e
     where e.id = any((select ${parameters.add(arrayOf(options.ids.slice(at, end)), 'int8[]')})::int8[])
       and ${inDays(day, 1)} ${conditionsSql(filter, parameters)}`;
    await countRows(snapshot, { rows, parameters, dimensions, add: options.add });
  }
}

/** Modifiers are many and counted alone; of the others few combinations occur, so one grouping serves all three. */
async function countRows(
  snapshot: Snapshot,
  options: {
    /** What stands behind `from`: the entries as `e`. */
    readonly rows: string;
    readonly parameters: Parameters;
    readonly dimensions: readonly Dimension[];
    readonly add: Add;
  },
): Promise<void> {
  const { dimensions, add } = options;
  const others = dimensions.filter((dimension) => dimension !== 'modifiers');
  const sets = [
    ...(dimensions.includes('modifiers') ? [[COLUMNS.modifiers.column]] : []),
    ...(others.length > 0 ? [others.map((dimension) => COLUMNS[dimension].column)] : []),
  ];
  const columns = dimensions.map((dimension) => `e.${COLUMNS[dimension].column}`).join(', ');
  const { rows } = await snapshot.query<Record<string, number | null> & { count: string }>(
    /* sql */ `
    select ${columns}, count(*)::text as count
      from ${options.rows}
     group by grouping sets (${sets.map((set) => `(${set.map((column) => `e.${column}`).join(', ')})`).join(', ')})`,
    options.parameters.values,
  );
  for (const row of rows) {
    for (const dimension of dimensions) {
      // Null where the row is not grouped by it: the columns themselves have no nulls.
      const value = row[COLUMNS[dimension].column];
      if (value !== null) add(dimension, value!, Number(row.count));
    }
  }
}
