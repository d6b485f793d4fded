import { expect } from '@jest/globals';
import type { Answer } from '../../src/api/answers.js';
import { NOBODY, type Entry, type EntryFilter } from '../../src/trail/read/entry.js';
import type { TrailReader } from '../../src/trail/read/trail-reader.js';
import { countBy, matching, shownAction, type PlainEntry } from './trail-oracle.ts';

/** A reader, and all entries of its trail as a plain query returns them, newest first. */
export interface Read {
  readonly reader: TrailReader;
  readonly all: readonly PlainEntry[];
}

const PAGE = 7;
/** Filters that find at most this many entries are read to their end. */
const MAX_READ_WHOLE = 1000;

/**
 * Fails unless the reader agrees with the plain query for a filter: in the first page, next pages, count and,
 * if requested, facets.
 */
export async function expectAgreement(
  { reader, all }: Read,
  filter: EntryFilter,
  options: { readonly facets: boolean },
): Promise<void> {
  const found = matching(all, filter);
  const first = await reader.page(filter, { limit: PAGE });
  expect(ids(first.items)).toEqual(ids(found.slice(0, PAGE)));
  expect(first.next === null).toBe(found.length <= PAGE);
  const { nextId } = await reader.head();
  expect(await reader.count(filter, { below: nextId })).toBe(found.length);
  if (found.length <= MAX_READ_WHOLE) expect(ids(await allPages(reader, filter))).toEqual(ids(found));
  if (!options.facets) return;
  const without = (name: keyof EntryFilter): PlainEntry[] =>
    filter[name] === undefined ? found : matching(all, { ...filter, [name]: undefined });
  const facets = await reader.facets(filter, { limit: 100_000 });
  expect({
    modifiers: byValue(facets.modifiers),
    actingAs: byValue(facets.actingAs),
    actions: byValue(facets.actions),
    entityTypes: byValue(facets.entityTypes),
    tenants: byValue(facets.tenants),
  }).toEqual({
    modifiers: countBy(without('modifiers'), ({ modifier }) => modifier ?? NOBODY),
    actingAs: countBy(without('actingAs'), ({ actingAs }) => actingAs),
    actions: countBy(without('actions'), (entry) => shownAction(entry, filter.scope)),
    entityTypes: countBy(without('entityTypes'), ({ type }) => type),
    // A filter for one tenant must not name another one, not even if a row moved between them.
    tenants: countBy(
      found,
      ({ tenant, previousTenant }) => filter.scope ?? filter.tenant ?? [tenant, previousTenant],
    ),
  });
}

export const ids = (entries: readonly { readonly id: bigint | string }[]): string[] =>
  entries.map(({ id }) => String(id));

async function allPages(reader: TrailReader, filter: EntryFilter): Promise<Entry[]> {
  const limit = 300;
  const items: Entry[] = [];
  let cursor: string | undefined;
  do {
    const page = await reader.page(filter, { limit, cursor });
    expect(page.items.length).toBeLessThanOrEqual(limit);
    items.push(...page.items);
    cursor = page.next ?? undefined;
  } while (cursor !== undefined);
  return items;
}

const byValue = (facets: Answer<'Facets'>['actions']): Record<string, number> =>
  Object.fromEntries(facets.map(({ value, count }) => [value, count]));
