import type { Answer } from '../../api/answers.js';
import { OWN } from '../../pipeline/ports.js';
import { countDimensions } from './count-dimensions.js';
import { subtractCounts, type Counting, type DimensionCounts } from './counts.js';
import { DIMENSIONS, idsOf, type Dimension } from './dimensions.js';
import { facetList } from './facet-list.js';
import { isKnownToLists, type StoredFilter } from './filter.js';
import type { Snapshot } from './snapshot.js';

/** Ids that a filter names in a dimension; they are listed however few entries they have. */
const namedIn = (filter: StoredFilter, dimension: Dimension): readonly number[] =>
  idsOf(filter, dimension) ?? [];

/**
 * Counts every dimension under the range and the filters of the other dimensions, so that a list shows what
 * choosing another of its values would find. The filter for a tenant always applies: a person who sees one
 * tenant must not learn of others.
 */
export async function countFacets(
  snapshot: Snapshot,
  { filter, limit }: { readonly filter: StoredFilter; readonly limit: number },
): Promise<Answer<'Facets'>> {
  // Dimensions without a filter of their own are counted together; each of the others needs a count without
  // its filter.
  const shared = DIMENSIONS.filter((dimension) => dimension === 'tenants' || filter[dimension] === null);
  let counts = await countAttributed(snapshot, { filter, dimensions: shared });
  for (const dimension of DIMENSIONS.filter((dimension) => !shared.includes(dimension)))
    counts = { ...counts, ...(await countAlone(snapshot, filter, dimension)) };
  const list = (dimension: Dimension): Promise<Answer<'FacetList'>> =>
    facetList(snapshot, {
      dimension,
      counts: counts[dimension]!,
      limit,
      always: namedIn(filter, dimension),
    });
  const lists = {
    modifiers: await list('modifiers'),
    actions: await list('actions'),
    entityTypes: await list('entityTypes'),
    tenants: await list('tenants'),
  };
  return {
    modifiers: lists.modifiers.items,
    actions: lists.actions.items,
    entityTypes: lists.entityTypes.items,
    tenants: lists.tenants.items,
    more: {
      modifiers: lists.modifiers.more,
      actions: lists.actions.more,
      entityTypes: lists.entityTypes.more,
      tenants: lists.tenants.more,
    },
  };
}

/** Counts one dimension likewise, and lists the values whose text has every word of a search. */
export async function countFacetList(
  snapshot: Snapshot,
  options: {
    readonly filter: StoredFilter;
    readonly dimension: Dimension;
    readonly limit: number;
    readonly search: string | undefined;
  },
): Promise<Answer<'FacetList'>> {
  const { filter, dimension } = options;
  const counts = await countAlone(snapshot, filter, dimension);
  return facetList(snapshot, { ...options, counts: counts[dimension]!, always: namedIn(filter, dimension) });
}

/** Counts a dimension without its own filter, unless that is the filter for a tenant. */
const countAlone = (
  snapshot: Snapshot,
  filter: StoredFilter,
  dimension: Dimension,
): Promise<DimensionCounts> =>
  countAttributed(snapshot, {
    filter: dimension === 'tenants' ? filter : { ...filter, [dimension]: null },
    dimensions: [dimension],
  });

/** Counts the entries with ids below `below` that a filter finds. */
export async function countEntries(
  snapshot: Snapshot,
  options: { readonly filter: StoredFilter; readonly below: bigint },
): Promise<number> {
  const { filter, below } = options;
  const filtered = DIMENSIONS.filter((dimension) => idsOf(filter, dimension) !== null);
  const dimension = filtered[0] ?? 'actions';
  // Under at most one other filter, summaries know the counts of a dimension. Otherwise every condition helps
  // to find entries.
  const bySummaries = filtered.length <= 2 && isKnownToLists({ ...filter, own: 'any' });
  const others = bySummaries ? { ...filter, [dimension === 'tenants' ? 'tenant' : dimension]: null } : filter;
  const ids = bySummaries ? idsOf(filter, dimension) : null;
  const counts = await countAttributed(snapshot, { filter: others, dimensions: [dimension], below });
  let sum = 0;
  counts[dimension]!.forEach((id, count) => {
    if (ids === null || ids.includes(id)) sum += count;
  });
  return sum;
}

/**
 * Counts dimensions without counting Waltrail's own entries as unattributed, as lists and summaries do. These
 * entries are few, so they are counted by themselves and subtracted: from all dimensions if the filter asks
 * for unattributed entries, else from the modifiers alone.
 */
async function countAttributed(snapshot: Snapshot, counting: Counting): Promise<DimensionCounts> {
  const { filter, dimensions } = counting;
  const counts = await countDimensions(snapshot, { ...counting, filter: { ...filter, own: 'any' } });
  const ofNobody = dimensions.filter(
    (dimension) => filter.own === 'none' || (dimension === 'modifiers' && filter.modifiers === null),
  );
  const type = snapshot.dictionaries.entityTypes.id(OWN);
  const hasOwn = type !== undefined && (filter.entityTypes === null || filter.entityTypes.includes(type));
  if (ofNobody.length === 0 || !hasOwn) return counts;
  const own: StoredFilter = { ...filter, modifiers: null, entityTypes: [type], own: 'only' };
  subtractCounts(counts, await countDimensions(snapshot, { ...counting, filter: own, dimensions: ofNobody }));
  return counts;
}
