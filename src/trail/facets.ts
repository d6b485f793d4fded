import { countDimensions, type Counts } from './counts.js';
import { DIMENSIONS, idsOf, type Dimension } from './dimensions.js';
import { NOBODY, type Facet, type Facets } from './entry.js';
import type { StoredFilter } from './filter.js';
import type { Snapshot } from './snapshot.js';
import type { TrailWords } from './words.js';

/**
 * Counts of every dimension under the range and the filters of the other dimensions, so that a list shows what choosing
 * another of its values would find. The tenant always applies: who sees one tenant must not learn of others.
 */
export async function countFacets(snapshot: Snapshot, filter: StoredFilter): Promise<Facets> {
  const counts = {} as Record<Dimension, Counts>;
  // Dimensions without a filter of their own share one statement; each of the others needs one without its filter.
  const shared = DIMENSIONS.filter((dimension) => dimension === 'tenants' || filter[dimension] === null);
  Object.assign(counts, await countDimensions(snapshot, { filter, dimensions: shared }));
  for (const dimension of DIMENSIONS.filter((dimension) => !shared.includes(dimension))) {
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
  const { filter, below } = options;
  const filtered = DIMENSIONS.filter((dimension) => idsOf(filter, dimension) !== null);
  const dimension = filtered[0] ?? 'actions';
  // Under at most one other filter summaries know the counts of a dimension; else every condition helps to find entries.
  const bySummaries = filtered.length <= 2 && filter.entity === null && filter.q === null;
  const others = bySummaries ? { ...filter, [dimension === 'tenants' ? 'tenant' : dimension]: null } : filter;
  const ids = bySummaries ? idsOf(filter, dimension) : null;
  const counts = await countDimensions(snapshot, { filter: others, dimensions: [dimension], below });
  let sum = 0;
  for (const [id, count] of counts[dimension]!) if (ids === null || ids.includes(id)) sum += count;
  return sum;
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
