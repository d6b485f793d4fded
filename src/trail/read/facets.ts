import type { Answer } from '../../api/answers.js';
import { OF_BASELINE, OWN } from '../../pipeline/ports.js';
import { countDimensions } from './count-dimensions.js';
import { addCounts, subtractCounts, type Counting, type DimensionCounts } from './counts.js';
import { DIMENSIONS, idsOf, type Dimension } from './dimensions.js';
import { facetList, type FacetListName } from './facet-list.js';
import { isKnownToLists, type StoredFilter } from './filter.js';
import { isMovedId } from './moved.js';
import type { Snapshot } from './snapshot.js';

/** Returns the ids that a filter names in a list. They are listed even if they have few entries. */
function namedIn(filter: StoredFilter, list: FacetListName): readonly number[] {
  if (list === 'modifiers' || list === 'actingAs') return filter[list] ?? [];
  return (list === 'actions' ? filter.shownActions : null) ?? idsOf(filter, list) ?? [];
}

/**
 * Returns the dimension with the ids of a list. The list `actingAs` has ids of modifiers, because a
 * modifier's row names the person acted as.
 */
const dimensionOf = (list: FacetListName): Dimension => (list === 'actingAs' ? 'modifiers' : list);

/**
 * Counts every list under the range and the filters of the other lists. A list therefore shows how many
 * entries another choice in it would find. The filter for a tenant always applies, because a person who sees
 * one tenant must not learn of others.
 */
export async function countFacets(
  snapshot: Snapshot,
  { filter, limit }: { readonly filter: StoredFilter; readonly limit: number },
): Promise<Answer<'Facets'>> {
  // Dimensions without a filter of their own are counted together. Each of the others needs a count without
  // its own filter.
  const shared = DIMENSIONS.filter((dimension) => dimension === 'tenants' || !isFiltered(filter, dimension));
  let counts = await countShown(snapshot, { filter, dimensions: shared });
  for (const dimension of DIMENSIONS.filter((dimension) => !shared.includes(dimension)))
    counts = { ...counts, ...(await countAlone(snapshot, filter, dimension)) };
  const list = (name: FacetListName, of = counts): Promise<Answer<'FacetList'>> =>
    facetList(snapshot, {
      list: name,
      counts: of[dimensionOf(name)]!,
      limit,
      always: namedIn(filter, name),
      inScope: filter.scope !== null,
    });
  const lists = {
    modifiers: await list('modifiers'),
    actingAs: await list('actingAs', await countActing(snapshot, { filter, modifiers: counts })),
    actions: await list('actions'),
    entityTypes: await list('entityTypes'),
    tenants: await list('tenants'),
  };
  return {
    modifiers: lists.modifiers.items,
    actingAs: lists.actingAs.items,
    actions: lists.actions.items,
    entityTypes: lists.entityTypes.items,
    tenants: lists.tenants.items,
    more: {
      modifiers: lists.modifiers.more,
      actingAs: lists.actingAs.more,
      actions: lists.actions.more,
      entityTypes: lists.entityTypes.more,
      tenants: lists.tenants.more,
    },
  };
}

/**
 * Counts modifiers for the list of persons acted as. Nothing is counted if `modifiers` already has these
 * counts, because no filter names modifiers. Nor is it if no modifier has ever acted as somebody else.
 */
async function countActing(
  snapshot: Snapshot,
  { filter, modifiers }: { readonly filter: StoredFilter; readonly modifiers: DimensionCounts },
): Promise<DimensionCounts> {
  const { query, dictionaries, greatest } = snapshot;
  const isCounted = filter.modifiers === null && filter.actingAs === null;
  if (isCounted || (await dictionaries.actedAs(query, greatest)) === undefined) return modifiers;
  return countAlone(snapshot, filter, 'actingAs');
}

/** Counts one list in the same way, and lists the values that match every word of a search. */
export async function countFacetList(
  snapshot: Snapshot,
  options: {
    readonly filter: StoredFilter;
    readonly list: FacetListName;
    readonly limit: number;
    readonly search: string | undefined;
  },
): Promise<Answer<'FacetList'>> {
  const { filter, list } = options;
  const counts = await countAlone(snapshot, filter, list);
  return facetList(snapshot, {
    ...options,
    counts: counts[dimensionOf(list)]!,
    always: namedIn(filter, list),
    inScope: filter.scope !== null,
  });
}

/** Counts a list without its own filter. A filter for a tenant still applies. */
const countAlone = (
  snapshot: Snapshot,
  filter: StoredFilter,
  list: FacetListName,
): Promise<DimensionCounts> =>
  countShown(snapshot, {
    filter: list === 'tenants' ? filter : without(filter, list),
    dimensions: [dimensionOf(list)],
  });

/** Counts the entries of a filter with ids below `below`. */
export async function countEntries(
  snapshot: Snapshot,
  options: { readonly filter: StoredFilter; readonly below: bigint },
): Promise<number> {
  const { filter, below } = options;
  const filtered = DIMENSIONS.filter((dimension) => idsOf(filter, dimension) !== null);
  const dimension = filtered[0] ?? 'actions';
  // Summaries have the counts of a dimension under at most one other filter. With more filters, entries are
  // searched, and every condition helps to find them.
  const bySummaries = filtered.length <= 2 && isKnownToLists({ ...filter, own: 'any' });
  const others = bySummaries ? withoutDimension(filter, dimension) : filter;
  const ids = bySummaries ? idsOf(filter, dimension) : null;
  const wanted = ids === null ? null : new Set(ids);
  const counts = await countShown(snapshot, { filter: others, dimensions: [dimension], below });
  let sum = 0;
  counts[dimension]!.forEach((id, count) => {
    if (wanted === null || wanted.has(id)) sum += count;
  });
  return sum;
}

const isFiltered = (filter: StoredFilter, dimension: Dimension): boolean =>
  idsOf(filter, dimension) !== null || (dimension === 'actions' && filter.shownActions !== null);

const without = (filter: StoredFilter, list: FacetListName): StoredFilter => ({
  ...filter,
  [list === 'tenants' ? 'tenant' : list]: null,
  ...(list === 'actions' ? { shownActions: null } : {}),
});

/** Returns the filter without a dimension. The modifiers have two lists. */
const withoutDimension = (filter: StoredFilter, dimension: Dimension): StoredFilter =>
  dimension === 'modifiers' ? without(without(filter, 'modifiers'), 'actingAs') : without(filter, dimension);

/**
 * Counts dimensions as the reader sees their entries. Baseline entries have no modifier, so they are not
 * counted in the list of modifiers.
 */
async function countShown(snapshot: Snapshot, counting: Counting): Promise<DimensionCounts> {
  const counts = await countSides(snapshot, counting);
  const { query, dictionaries, greatest } = snapshot;
  if (counts.modifiers === undefined) return counts;
  for (const id of await dictionaries.modifierIds(query, {
    keys: [OF_BASELINE.key],
    of: 'modifiers',
    greatest,
  }))
    counts.modifiers.add(id, -counts.modifiers.get(id));
  return counts;
}

/**
 * Counts dimensions of entries from the side that the reader sees. Lists and summaries have the stored action
 * of an entry that moved, but a reader of one tenant sees another action. There are few such entries, so they
 * are counted separately: the counts as stored are subtracted, and those as shown are added.
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
 * Counts dimensions without counting Waltrail's own entries as unattributed. Lists and summaries count them
 * so. There are few of these entries, so they are counted separately and subtracted. If the filter asks for
 * unattributed entries, they are subtracted from all dimensions, otherwise only from the modifiers.
 */
async function countAttributed(snapshot: Snapshot, counting: Counting): Promise<DimensionCounts> {
  const { filter, dimensions } = counting;
  const counts = await countDimensions(snapshot, { ...counting, filter: { ...filter, own: 'any' } });
  const ofNobody = dimensions.filter(
    (dimension) =>
      filter.own === 'none' || (dimension === 'modifiers' && idsOf(filter, 'modifiers') === null),
  );
  const type = snapshot.dictionaries.entityTypes.id(OWN);
  const hasOwn = type !== undefined && (filter.entityTypes === null || filter.entityTypes.includes(type));
  if (ofNobody.length === 0 || !hasOwn) return counts;
  const own: StoredFilter = { ...filter, modifiers: null, entityTypes: [type], own: 'only' };
  subtractCounts(counts, await countDimensions(snapshot, { ...counting, filter: own, dimensions: ofNobody }));
  return counts;
}
