import { MAX_ENTRY_ID } from './cursor.js';
import { UNATTRIBUTED, type Facet, type Facets } from './entry.js';
import { filterSql, Parameters, type StoredFilter } from './filter.js';
import { chunksOf, spanBounds } from './page.js';
import { candidateSpans, type Snapshot } from './snapshot.js';
import type { TrailWords } from './words.js';

/** The dimensions of facets, with their columns in trail.entry and trail.block. */
const DIMENSIONS = {
  modifiers: { column: 'modifier_id', values: 'modifiers', counts: 'modifier_counts' },
  actions: { column: 'action_id', values: 'actions', counts: 'action_counts' },
  entityTypes: { column: 'entity_type_id', values: 'entity_types', counts: 'entity_type_counts' },
  tenants: { column: 'tenant_id', values: 'tenants', counts: 'tenant_counts' },
} as const;
type Dimension = keyof typeof DIMENSIONS;
const ALL = Object.keys(DIMENSIONS) as Dimension[];

/** Entries by dictionary id. */
type Counts = Map<number, number>;

/**
 * Counts of every dimension under the range and the filters of the other dimensions, so that a list shows what choosing
 * another of its values would find. The tenant always applies: who sees one tenant must not learn of others.
 */
export async function countFacets(snapshot: Snapshot, filter: StoredFilter): Promise<Facets> {
  const counts = {} as Record<Dimension, Counts>;
  // Dimensions without a filter of their own share one statement; each of the others needs one without its filter.
  const shared = ALL.filter((dimension) => dimension === 'tenants' || filter[dimension] === null);
  Object.assign(counts, await countDimensions(snapshot, { filter, dimensions: shared }));
  for (const dimension of ALL.filter((dimension) => !shared.includes(dimension))) {
    const others = { ...filter, [dimension]: null };
    Object.assign(counts, await countDimensions(snapshot, { filter: others, dimensions: [dimension] }));
  }
  const { words } = snapshot;
  return {
    modifiers: modifierFacets(counts.modifiers, words),
    actions: namedFacets(counts.actions, words.actions),
    entityTypes: namedFacets(counts.entityTypes, words.entityTypes),
    tenants: namedFacets(counts.tenants, words.tenants),
  };
}

/** How many entries with ids below `below` a filter finds. */
export async function countEntries(
  snapshot: Snapshot,
  options: { readonly filter: StoredFilter; readonly below: bigint },
): Promise<number> {
  const { filter } = options;
  // Blocks know the counts of one dimension at a time.
  const filtered = ALL.filter((dimension) => idsOf(filter, dimension) !== null);
  const dimension = filtered[0] ?? 'actions';
  const alone =
    filtered.length > 1
      ? filter
      : { ...filter, modifiers: null, actions: null, entityTypes: null, tenant: null };
  const counts = await countDimensions(snapshot, {
    filter: alone,
    dimensions: [dimension],
    below: options.below,
    only: filtered.length > 1 ? null : idsOf(filter, dimension),
  });
  return [...counts[dimension]!.values()].reduce((sum, count) => sum + count, 0);
}

const idsOf = (filter: StoredFilter, dimension: Dimension): readonly number[] | null =>
  dimension === 'tenants' ? (filter.tenant === null ? null : [filter.tenant]) : filter[dimension];

interface Counting {
  readonly filter: StoredFilter;
  readonly dimensions: readonly Dimension[];
  /** Count ids below this only. */
  readonly below?: bigint;
  /** Count these values of the one dimension only; they are not part of the filter. */
  readonly only?: readonly number[] | null;
}

/** Summaries where they say all, entries where not: at the ends of the range, in open blocks, and under other filters. */
async function countDimensions(
  snapshot: Snapshot,
  counting: Counting,
): Promise<Partial<Record<Dimension, Counts>>> {
  const { dimensions, only = null } = counting;
  const counts: Partial<Record<Dimension, Counts>> = {};
  for (const dimension of dimensions) counts[dimension] = new Map();
  const add = (dimension: Dimension, value: number, count: number): void => {
    if (only !== null && !only.includes(value)) return;
    counts[dimension]!.set(value, (counts[dimension]!.get(value) ?? 0) + count);
  };
  const whole = await countWholeBlocks(snapshot, { counting, add });
  await countLive(snapshot, { counting, whole, add });
  return counts;
}

type Add = (dimension: Dimension, value: number, count: number) => void;

/** Adds the blocks whose summary answers for all their entries; returns their numbers. */
async function countWholeBlocks(
  snapshot: Snapshot,
  options: { readonly counting: Counting; readonly add: Add },
): Promise<ReadonlySet<number>> {
  const { filter, dimensions, below = MAX_ENTRY_ID } = options.counting;
  const { modifiers, actions, entityTypes, entity, q } = filter;
  if ([modifiers, actions, entityTypes, entity, q].some((part) => part !== null)) return new Set();
  const parameters = new Parameters();
  const conditions = [
    `(s.block::int8 + 1) << 16 <= ${parameters.add(below.toString(), 'int8')}`,
    `s.first_committed_at >= ${parameters.add(filter.from, 'timestamptz')}`,
    `s.last_committed_at < ${parameters.add(filter.to, 'timestamptz')}`,
    ...(filter.tenant === null ? [] : [`s.tenants = array[${parameters.add(filter.tenant, 'int4')}]`]),
  ];
  const sums = dimensions.map((dimension) => {
    const { values, counts } = DIMENSIONS[dimension];
    return /* sql */ `select '${dimension}', value, sum(count)::text
       from whole, unnest(${values}, ${counts}) as x (value, count) group by value`;
  });
  const { rows } = await snapshot.client.query<{
    dimension: Dimension | 'blocks';
    value: number;
    count: string;
  }>(
    /* sql */ `with whole as materialized (select * from trail.block s where ${conditions.join(' and ')})
      select 'blocks' as dimension, block as value, '0' as count from whole
      union all ${sums.join('\n union all ')}`,
    parameters.values,
  );
  const blocks = new Set<number>();
  for (const { dimension, value, count } of rows) {
    if (dimension === 'blocks') blocks.add(value);
    else options.add(dimension, value, Number(count));
  }
  return blocks;
}

async function countLive(
  snapshot: Snapshot,
  options: { readonly counting: Counting; readonly whole: ReadonlySet<number>; readonly add: Add },
): Promise<void> {
  const { counting, whole } = options;
  const { dimensions, below = MAX_ENTRY_ID, only = null } = counting;
  const filter =
    only === null ? counting.filter : withOnly(counting.filter, { dimension: dimensions[0]!, only });
  const walk = { filter, above: 0n, below, order: 'desc' } as const;
  for (const span of await candidateSpans(snapshot, walk)) {
    const blocks = span.blocks.filter((block) => !whole.has(block));
    const bounds = spanBounds(span, walk);
    const chunks = chunksOf({ ...span, blocks }, bounds, 'asc');
    if (chunks.length === 0) continue;
    const parameters = new Parameters();
    const chunkList = parameters.add(chunks, 'int4[]');
    const above = parameters.add(bounds.above.toString(), 'int8');
    const upTo = parameters.add(bounds.below.toString(), 'int8');
    const { inChunk, conditions } = filterSql(filter, parameters, snapshot.words);
    const columns = dimensions.map((dimension) => DIMENSIONS[dimension].column);
    const { rows } = await snapshot.client.query<{ grouping: number; value: number; count: string }>(
      /* sql */ `
      select grouping(${columns.join(', ')}) as grouping, coalesce(${columns.join(', ')}) as value, count(*)::text as count
        from unnest(${chunkList}) as c (chunk)
       cross join lateral (
         select modifier_id, action_id, entity_type_id, tenant_id from trail.entry e
          where ${inChunk} and e.id >= ${above} and e.id < ${upTo} ${conditions}
         offset 0
       ) e
       group by grouping sets (${columns.map((column) => `(${column})`).join(', ')})`,
      parameters.values,
    );
    const bits = (1 << columns.length) - 1;
    for (const { grouping, value, count } of rows) {
      // Bit i from the left is 0 for the column that the row is grouped by.
      const place = columns.findIndex(
        (_, index) => grouping === (bits & ~(1 << (columns.length - 1 - index))),
      );
      options.add(dimensions[place]!, value, Number(count));
    }
  }
}

function withOnly(
  filter: StoredFilter,
  options: { readonly dimension: Dimension; readonly only: readonly number[] },
): StoredFilter {
  return options.dimension === 'tenants'
    ? { ...filter, tenant: options.only[0]! }
    : { ...filter, [options.dimension]: options.only };
}

/** By key: the names that a renamed modifier has had are one facet, under the newest. */
function modifierFacets(counts: Counts, words: TrailWords): Facet[] {
  const facets = new Map<string, Facet & { readonly id: number }>();
  for (const [id, count] of counts) {
    const modifier = words.modifiers.get(id);
    if (modifier === undefined) continue;
    const value = modifier.key ?? UNATTRIBUTED;
    const other = facets.get(value);
    const newest = words.modifiers.get(words.modifierIds(modifier.key).at(-1)!) ?? modifier;
    facets.set(value, {
      id: newest.id,
      value,
      name: newest.name,
      kind: newest.kind,
      count: count + (other?.count ?? 0),
    });
  }
  return mostFirst(
    [...facets.values()].map(({ value, name, kind, count }) => ({ value, name, kind: kind!, count })),
  );
}

function namedFacets(counts: Counts, names: { name(id: number): string | undefined }): Facet[] {
  return mostFirst(
    [...counts].flatMap(([id, count]) => {
      const name = names.name(id);
      return name === undefined ? [] : [{ value: name, name, count }];
    }),
  );
}

const mostFirst = (facets: Facet[]): Facet[] =>
  facets.sort((a, b) => b.count - a.count || (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
