import type { Answer } from '../../api/answers.js';
import { OWN } from '../../pipeline/ports.js';
import { countDimensions } from './count-dimensions.js';
import { addCounts, subtractCounts, type Counting, type Counts, type DimensionCounts } from './counts.js';
import type { ReaderDictionaries } from './dictionaries.js';
import { DIMENSIONS, idsOf, type Dimension } from './dimensions.js';
import { MOVED_ACTIONS, NOBODY } from './entry.js';
import { isKnownToLists, MOVED_IDS, type StoredFilter } from './filter.js';
import type { Snapshot } from './snapshot.js';

type Facet = Answer<'Facet'>;

/**
 * Counts every dimension under the range and the filters of the other dimensions, so that a list shows what
 * choosing another of its values would find. The filter for a tenant always applies: a person who sees one
 * tenant must not learn of others.
 */
export async function countFacets(snapshot: Snapshot, filter: StoredFilter): Promise<Answer<'Facets'>> {
  // Dimensions without a filter of their own are counted together; each of the others needs a count without
  // its filter.
  const shared = DIMENSIONS.filter((dimension) => dimension === 'tenants' || !isFiltered(filter, dimension));
  let counts = await countShown(snapshot, { filter, dimensions: shared });
  for (const dimension of DIMENSIONS.filter((dimension) => !shared.includes(dimension))) {
    const others = without(filter, dimension);
    counts = { ...counts, ...(await countShown(snapshot, { filter: others, dimensions: [dimension] })) };
  }
  const { dictionaries } = snapshot;
  return {
    modifiers: modifierFacets(counts.modifiers!, dictionaries),
    actions: nameFacets(counts.actions!, { name: (id) => movedAction(id) ?? dictionaries.actions.name(id) }),
    entityTypes: nameFacets(counts.entityTypes!, dictionaries.entityTypes),
    tenants: nameFacets(counts.tenants!, dictionaries.tenants),
  };
}

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
  for (const [id, count] of counts[dimension]!) if (ids === null || ids.includes(id)) sum += count;
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
 * Counts dimensions as the reader sees their entries. Lists and summaries know the stored action of an entry
 * that moved, which a reader of one tenant does not see. Such entries are few, so they are counted by
 * themselves, once as they are stored and once as they are shown.
 */
async function countShown(snapshot: Snapshot, counting: Counting): Promise<DimensionCounts> {
  const { filter, dimensions } = counting;
  const { scope, shownActions } = filter;
  const asStored: StoredFilter = { ...filter, scope: null, shownActions: null };
  const asksForActions = shownActions !== null || dimensions.includes('actions');
  if (scope === null || !asksForActions || !isKnownToLists({ ...asStored, own: 'any' }))
    return countAttributed(snapshot, counting);
  const counts = await countAttributed(snapshot, { ...counting, filter: { ...filter, moved: 'only' } });
  const stored = shownActions?.filter((id) => id >= 0) ?? null;
  if (stored?.length === 0) return counts;
  const unmoved: Counting = { ...counting, filter: { ...asStored, actions: stored } };
  addCounts(counts, await countAttributed(snapshot, unmoved));
  const moved: StoredFilter = { ...unmoved.filter, moved: 'only' };
  subtractCounts(counts, await countAttributed(snapshot, { ...counting, filter: moved }));
  return counts;
}

const movedAction = (id: number): string | undefined =>
  id === MOVED_IDS.arrived ? MOVED_ACTIONS.arrived : id === MOVED_IDS.left ? MOVED_ACTIONS.left : undefined;

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

/**
 * Makes one facet for each key. The names that a renamed modifier has had are counted together, under the
 * newest.
 */
function modifierFacets(counts: Counts, dictionaries: ReaderDictionaries): Facet[] {
  const facets = new Map<string, Facet>();
  for (const [id, count] of counts) {
    const modifier = dictionaries.modifiers.get(id);
    if (modifier === undefined) continue;
    const value = modifier.key ?? NOBODY;
    const other = facets.get(value);
    const newest = dictionaries.modifiers.get(dictionaries.modifierIds(modifier.key).at(-1)!) ?? modifier;
    facets.set(value, {
      value,
      name: newest.name,
      kind: newest.kind,
      count: count + (other?.count ?? 0),
    });
  }
  return mostFirst([...facets.values()]);
}

function nameFacets(counts: Counts, dictionary: { name(id: number): string | undefined }): Facet[] {
  return mostFirst(
    [...counts].flatMap(([id, count]) => {
      const name = dictionary.name(id);
      return name === undefined ? [] : [{ value: name, name, count }];
    }),
  );
}

const mostFirst = (facets: Facet[]): Facet[] =>
  facets.sort((a, b) => b.count - a.count || (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
