import type { Answer } from '../../api/answers.js';
import type { Counting } from './count-entries.js';
import { countDimensions, type Counts } from './counts.js';
import { DIMENSIONS, idsOf, type Dimension } from './dimensions.js';
import { NOBODY } from './entry.js';
import { isKnownToLists, type StoredFilter } from './filter.js';
import type { Snapshot } from './snapshot.js';
import type { TrailWords } from './words.js';

type Facet = Answer<'Facet'>;

/** Entity type of Waltrail's own entries. A table may have it too; the rung tells them apart. */
const OWN_TYPE = 'waltrail';

/**
 * Counts of every dimension under the range and the filters of the other dimensions, so that a list shows what choosing
 * another of its values would find. The tenant always applies: who sees one tenant must not learn of others.
 */
export async function countFacets(snapshot: Snapshot, filter: StoredFilter): Promise<Answer<'Facets'>> {
  const counts = {} as Record<Dimension, Counts>;
  // Dimensions without a filter of their own share one statement; each of the others needs one without its filter.
  const shared = DIMENSIONS.filter((dimension) => dimension === 'tenants' || filter[dimension] === null);
  Object.assign(counts, await countModified(snapshot, { filter, dimensions: shared }));
  for (const dimension of DIMENSIONS.filter((dimension) => !shared.includes(dimension))) {
    const others = { ...filter, [dimension]: null };
    Object.assign(counts, await countModified(snapshot, { filter: others, dimensions: [dimension] }));
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
  const { filter, below } = options;
  const filtered = DIMENSIONS.filter((dimension) => idsOf(filter, dimension) !== null);
  const dimension = filtered[0] ?? 'actions';
  // Under at most one other filter summaries know the counts of a dimension; else every condition helps to find entries.
  const bySummaries = filtered.length <= 2 && isKnownToLists({ ...filter, own: 'any' });
  const others = bySummaries ? { ...filter, [dimension === 'tenants' ? 'tenant' : dimension]: null } : filter;
  const ids = bySummaries ? idsOf(filter, dimension) : null;
  const counts = await countModified(snapshot, { filter: others, dimensions: [dimension], below });
  let sum = 0;
  for (const [id, count] of counts[dimension]!) if (ids === null || ids.includes(id)) sum += count;
  return sum;
}

/**
 * Counts dimensions without counting Waltrail's own entries as nobody's. Lists and summaries do, so these entries, of which there are
 * few, are counted by themselves and subtracted: from all dimensions where the filter asks for nobody, else from the modifiers alone.
 */
async function countModified(
  snapshot: Snapshot,
  counting: Counting,
): Promise<Partial<Record<Dimension, Counts>>> {
  const { filter, dimensions } = counting;
  const counts = await countDimensions(snapshot, { ...counting, filter: { ...filter, own: 'any' } });
  const ofNobody = dimensions.filter(
    (dimension) => filter.own === 'none' || (dimension === 'modifiers' && filter.modifiers === null),
  );
  const type = snapshot.words.entityTypes.id(OWN_TYPE);
  const hasOwn = type !== undefined && (filter.entityTypes === null || filter.entityTypes.includes(type));
  if (ofNobody.length === 0 || !hasOwn) return counts;
  const own: StoredFilter = { ...filter, modifiers: null, entityTypes: [type], own: 'only' };
  const ownCounts = await countDimensions(snapshot, { ...counting, filter: own, dimensions: ofNobody });
  for (const dimension of ofNobody) {
    for (const [id, count] of ownCounts[dimension]!) {
      const left = (counts[dimension]!.get(id) ?? 0) - count;
      if (left === 0) counts[dimension]!.delete(id);
      else counts[dimension]!.set(id, left);
    }
  }
  return counts;
}

/** By key: the names that a renamed modifier has had are one facet, under the newest. */
function modifierFacets(counts: Counts, words: TrailWords): Facet[] {
  const facets = new Map<string, Facet>();
  for (const [id, count] of counts) {
    const modifier = words.modifiers.get(id);
    if (modifier === undefined) continue;
    const value = modifier.key ?? NOBODY;
    const other = facets.get(value);
    const newest = words.modifiers.get(words.modifierIds(modifier.key).at(-1)!) ?? modifier;
    facets.set(value, {
      value,
      name: newest.name,
      kind: newest.kind,
      count: count + (other?.count ?? 0),
    });
  }
  return mostFirst([...facets.values()]);
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
