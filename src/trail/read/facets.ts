import type { Answer } from '../../api/answers.js';
import { OF_BASELINE, OWN } from '../../pipeline/ports.js';
import { countDimensions } from './count-dimensions.js';
import { addCounts, subtractCounts, type Counting, type DimensionCounts } from './counts.js';
import { DIMENSIONS, idsOf, type Dimension } from './dimensions.js';
import { facetList } from './facet-list.js';
import { isKnownToLists, type StoredFilter } from './filter.js';
import { isMovedId } from './moved.js';
import type { Snapshot } from './snapshot.js';

/** Ids that a filter names in a dimension; they are listed however few entries they have. */
const namedIn = (filter: StoredFilter, dimension: Dimension): readonly number[] =>
  (dimension === 'actions' ? filter.shownActions : null) ?? idsOf(filter, dimension) ?? [];

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
  const shared = DIMENSIONS.filter((dimension) => dimension === 'tenants' || !isFiltered(filter, dimension));
  let counts = await countShown(snapshot, { filter, dimensions: shared });
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
  return facetList(snapshot, {
    ...options,
    counts: counts[dimension]!,
    always: namedIn(filter, dimension),
    inScope: filter.scope !== null,
  });
}

/** Counts a dimension without its own filter, unless that is the filter for a tenant. */
const countAlone = (
  snapshot: Snapshot,
  filter: StoredFilter,
  dimension: Dimension,
): Promise<DimensionCounts> =>
  countShown(snapshot, {
    filter: dimension === 'tenants' ? filter : without(filter, dimension),
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
  const others = bySummaries ? without(filter, dimension) : filter;
  const ids = bySummaries ? idsOf(filter, dimension) : null;
  const counts = await countShown(snapshot, { filter: others, dimensions: [dimension], below });
  let sum = 0;
  counts[dimension]!.forEach((id, count) => {
    if (ids === null || ids.includes(id)) sum += count;
  });
  return sum;
}

const isFiltered = (filter: StoredFilter, dimension: Dimension): boolean =>
  idsOf(filter, dimension) !== null || (dimension === 'actions' && filter.shownActions !== null);

const without = (filter: StoredFilter, dimension: Dimension): StoredFilter => ({
  ...filter,
  [dimension === 'tenants' ? 'tenant' : dimension]: null,
  ...(dimension === 'actions' ? { shownActions: null } : {}),
});

/**
 * Counts dimensions as the reader sees their entries. Of what existed already nobody is the modifier: these
 * entries are in no list of modifiers.
 */
async function countShown(snapshot: Snapshot, counting: Counting): Promise<DimensionCounts> {
  const counts = await countSides(snapshot, counting);
  const { query, dictionaries, greatest } = snapshot;
  if (counts.modifiers === undefined) return counts;
  for (const id of await dictionaries.modifierIds(query, { keys: [OF_BASELINE.key], greatest }))
    counts.modifiers.add(id, -counts.modifiers.get(id));
  return counts;
}

/**
 * Counts dimensions of entries from the side that the reader sees. Lists and summaries know the stored action
 * of an entry that moved, which a reader of one tenant does not see. Such entries are few, so they are
 * counted by themselves, once as they are stored and once as they are shown.
 */
async function countSides(snapshot: Snapshot, counting: Counting): Promise<DimensionCounts> {
  const { filter, dimensions } = counting;
  const { scope, shownActions } = filter;
  const asStored: StoredFilter = { ...filter, scope: null, shownActions: null };
  const asksForActions = shownActions !== null || dimensions.includes('actions');
  if (scope === null || !asksForActions || !isKnownToLists({ ...asStored, own: 'any' }))
    return countAttributed(snapshot, counting);
  const counts = await countAttributed(snapshot, { ...counting, filter: { ...filter, moved: 'only' } });
  const stored = shownActions?.filter((id) => !isMovedId(id)) ?? null;
  if (stored?.length === 0) return counts;
  const unmoved: Counting = { ...counting, filter: { ...asStored, actions: stored } };
  addCounts(counts, await countAttributed(snapshot, unmoved));
  const moved: StoredFilter = { ...unmoved.filter, moved: 'only' };
  subtractCounts(counts, await countAttributed(snapshot, { ...counting, filter: moved }));
  return counts;
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
