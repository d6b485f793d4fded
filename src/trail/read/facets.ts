import type { Answer } from '../../api/answers.js';
import { OF_BASELINE, OWN } from '../../pipeline/ports.js';
import { countDimensions } from './count-dimensions.js';
import { addCounts, subtractCounts, type Counting, type DimensionCounts } from './counts.js';
import { DIMENSIONS, idsOf, type Dimension } from './dimensions.js';
import { facetList, type FacetListName } from './facet-list.js';
import { isKnownToLists, type StoredFilter } from './filter.js';
import { isMovedId } from './moved.js';
import type { Snapshot } from './snapshot.js';

/** Ids that a filter names in a list; they are listed however few entries they have. */
function namedIn(filter: StoredFilter, list: FacetListName): readonly number[] {
  if (list === 'modifiers' || list === 'actingAs') return filter[list] ?? [];
  return (list === 'actions' ? filter.shownActions : null) ?? idsOf(filter, list) ?? [];
}

/** The dimension whose ids a list is of: who acted as whom is said by the modifier. */
const dimensionOf = (list: FacetListName): Dimension => (list === 'actingAs' ? 'modifiers' : list);

/**
 * Counts every list under the range and the filters of the other lists, so that a list shows what choosing
 * another of its values would find. The filter for a tenant always applies: a person who sees one
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
  const list = (name: FacetListName, of = counts): Promise<Answer<'FacetList'>> =>
    facetList(snapshot, {
      list: name,
      counts: of[dimensionOf(name)]!,
      limit,
      always: namedIn(filter, name),
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
 * Counts modifiers for the list of those acted as. Without a filter for modifiers they are counted already,
 * and where nobody has ever acted as somebody, none has to be.
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

/** Counts one list likewise, and lists the values whose text has every word of a search. */
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

/** Counts a list without its own filter, unless that is the filter for a tenant. */
const countAlone = (
  snapshot: Snapshot,
  filter: StoredFilter,
  list: FacetListName,
): Promise<DimensionCounts> =>
  countShown(snapshot, {
    filter: list === 'tenants' ? filter : without(filter, list),
    dimensions: [dimensionOf(list)],
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

/** Two lists are of the modifiers. */
const withoutDimension = (filter: StoredFilter, dimension: Dimension): StoredFilter =>
  dimension === 'modifiers' ? without(without(filter, 'modifiers'), 'actingAs') : without(filter, dimension);

/**
 * Counts dimensions as the reader sees their entries. Of what existed already nobody is the modifier: these
 * entries are in no list of modifiers.
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
