import { computed, effect, signal } from '@preact/signals';
import type { Facet, FacetList, Facets, Kind, Problem } from '../api-types.ts';
import { OWN_TYPE } from '../entry/own-entries.ts';
import { isAbort, problemFrom, request } from '../http/client.ts';
import { onRecovery } from '../http/recovery.ts';
import { arrived, currentQuery, queryKey, rangeProblem, rows } from './entries.ts';
import { isOfPeople, NOBODY, type FacetFilter } from './url-state.ts';
import { view } from './view.ts';

/** The facet counts of the view. Null until they are known. */
export const facets = signal<Facets | null>(null);

/** Number of entries in the view as of the last count. Null if not known. */
export const total = computed(() => {
  const counted = facets.value;
  // Every entry has one action, one type and, unless it is Waltrail's own, one modifier, so the counts of
  // each filter add up to the total. A filter that is set is counted without itself, so the counts of a
  // filter that is not set are used.
  const open = (['entityTypes', 'actions', 'modifiers'] as const).find(
    (filter) => view.value[filter].length === 0,
  );
  if (open === 'modifiers' && view.value.entityTypes.includes(OWN_TYPE)) return null;
  return counted === null || open === undefined
    ? null
    : counted[open].reduce((sum, { count }) => sum + count, counted.more[open].entries);
});

interface ModifierName {
  readonly name: string;
  /** Null: unattributed. Undefined: the kind is not known. */
  readonly kind: Kind | null | undefined;
}

const actionNames = signal<ReadonlyMap<string, string>>(new Map());

/**
 * Returns the YAML's text for an action, if an answer of the API contained it. Otherwise returns the
 * category.
 */
export const actionName = (action: string): string =>
  actionNames.value.get(action) ?? rows.value.find((entry) => entry.action === action)?.actionName ?? action;

const modifierNames = signal<ReadonlyMap<string, ModifierName>>(new Map());

/**
 * Returns the name and kind of a modifier, as an answer of the API stated them. If none did, the key serves
 * as the name.
 */
export function modifierName(key: string): ModifierName {
  if (key === NOBODY) return { name: 'Unattributed', kind: null };
  const known = modifierNames.value.get(key);
  if (known !== undefined) return known;
  for (const { modifier } of rows.value)
    for (const person of [modifier, modifier.actingAs]) if (person?.key === key) return person;
  return { name: key, kind: undefined };
}

/** Names for the values of filters, as far as answers of the API have stated them. */
export const filterNames = {
  modifier: (key: string): string => modifierName(key).name,
  action: actionName,
};

/**
 * Time from the arrival of an entry to the next count. It is short enough for current counts, and long enough
 * to cost the trail little.
 */
const RECOUNT_MS = 3_000;

/** Refreshes the counts when the query changes, and shortly after entries arrive. */
export function followFacets(): void {
  let abort = new AbortController();
  let timer: ReturnType<typeof setTimeout> | undefined;
  const count = (): void => {
    abort.abort();
    abort = new AbortController();
    request<Facets>('GET', 'facets', { query: currentQuery(), signal: abort.signal })
      .then((counted) => {
        facets.value = counted;
        learnNames([...counted.modifiers, ...counted.actingAs]);
        learnActions(counted.actions);
      })
      .catch((error: unknown) => {
        // The list shows the problem; it can be used without counts.
        if (!isAbort(error)) facets.value = null;
      });
  };
  effect(() => {
    const key = queryKey.value;
    abort.abort();
    clearTimeout(timer);
    timer = undefined;
    facets.value = null;
    if (key !== null && rangeProblem.peek() === null) count();
  });
  onRecovery(() => {
    if (facets.peek() === null && queryKey.peek() !== null && rangeProblem.peek() === null) count();
  });
  effect(() => {
    if (arrived.value.length === 0) return;
    timer ??= setTimeout(() => {
      timer = undefined;
      count();
    }, RECOUNT_MS);
  });
}

/**
 * Fetches the most frequent values for a filter, or the most frequent ones that match a search. The server
 * counts them with all other filters applied. Undefined: the request was aborted.
 */
export async function optionsOf(
  filter: FacetFilter,
  { search, signal }: { readonly search: string; readonly signal: AbortSignal },
): Promise<FacetList | Problem | undefined> {
  const query = new URLSearchParams(currentQuery());
  if (search !== '') query.set('search', search);
  try {
    const list = await request<FacetList>('GET', `facets/${filter}`, { query, signal });
    if (isOfPeople(filter)) learnNames(list.items);
    if (filter === 'actions') learnActions(list.items);
    return search === '' ? { ...list, items: withChosen(list.items, filter) } : list;
  } catch (error) {
    return isAbort(error) ? undefined : problemFrom(error);
  }
}

/** Adds the chosen values that no entry matches any more, so that they stay in the list of options. */
function withChosen(options: readonly Facet[], filter: FacetFilter): readonly Facet[] {
  const there = new Set(options.map((option) => option.value));
  const missing = view.peek()[filter].filter((value) => !there.has(value));
  return [
    ...options,
    ...missing.map((value) => {
      const { name, kind } = isOfPeople(filter)
        ? modifierName(value)
        : { name: filter === 'actions' ? actionName(value) : value, kind: undefined };
      return { value, name, count: 0, ...(kind === undefined ? {} : { kind }) };
    }),
  ];
}

function learnActions(actions: readonly Facet[]): void {
  const next = new Map(actionNames.peek());
  for (const { value, name } of actions) if (name !== value) next.set(value, name);
  actionNames.value = next;
}

function learnNames(modifiers: readonly Facet[]): void {
  const next = new Map(modifierNames.peek());
  for (const { value, name, kind } of modifiers) next.set(value, { name, kind });
  modifierNames.value = next;
}
