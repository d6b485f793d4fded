import { computed, effect, signal } from '@preact/signals';
import type { Facet, Facets, Kind, Problem } from '../api-types.ts';
import { OWN_TYPE } from '../entry/own-entries.ts';
import { isAbort, problemFrom, request } from '../http/client.ts';
import { arrived, currentQuery, question, rangeProblem, rows } from './entries.ts';
import { NOBODY, type ListFilter } from './url-state.ts';
import { view } from './view.ts';

/** Counts for the view as it is; null until they are there. */
export const facets = signal<Facets | null>(null);

/** Number of entries in the view, as of the last count; null when unknown. */
export const total = computed(() => {
  const counted = facets.value;
  // Every entry has one action and one type, and one modifier unless it is Waltrail's own, so each dimension adds up to
  // the total; but one that is itself narrowed is counted without its own filter.
  const open = (['entityTypes', 'actions', 'modifiers'] as const).find(
    (filter) => view.value[filter].length === 0,
  );
  if (open === 'modifiers' && view.value.entityTypes.includes(OWN_TYPE)) return null;
  return counted === null || open === undefined
    ? null
    : counted[open].reduce((sum, { count }) => sum + count, 0);
});

interface ModifierName {
  readonly name: string;
  /** Null: nobody; undefined: not known. */
  readonly kind: Kind | null | undefined;
}

const names = signal<ReadonlyMap<string, ModifierName>>(new Map());

/** Name and kind of a modifier as far as the page has met it; its key otherwise. */
export function modifierName(key: string): ModifierName {
  if (key === NOBODY) return { name: 'Unattributed', kind: null };
  const known = names.value.get(key);
  if (known !== undefined) return known;
  const row = rows.value.find((entry) => entry.modifier.key === key);
  return row === undefined
    ? { name: key, kind: undefined }
    : { name: row.modifier.name, kind: row.modifier.kind };
}

/** Counts that follow the arrivals: soon enough to be believed, seldom enough to cost the trail nothing. */
const RECOUNT_MS = 3_000;

/** Counts anew whenever the question changed, and a moment after entries arrived. */
export function followFacets(): void {
  let abort = new AbortController();
  let timer: ReturnType<typeof setTimeout> | undefined;
  const count = (): void => {
    abort.abort();
    abort = new AbortController();
    request<Facets>('GET', 'facets', { query: currentQuery(), signal: abort.signal })
      .then((counted) => {
        facets.value = counted;
        learn(counted);
      })
      .catch((error: unknown) => {
        // The list shows the problem; a view without counts is usable.
        if (!isAbort(error)) facets.value = null;
      });
  };
  effect(() => {
    const asked = question.value;
    abort.abort();
    clearTimeout(timer);
    timer = undefined;
    facets.value = null;
    if (asked !== null && rangeProblem.peek() === null) count();
  });
  effect(() => {
    if (arrived.value.length === 0) return;
    timer ??= setTimeout(() => {
      timer = undefined;
      count();
    }, RECOUNT_MS);
  });
}

/** What one filter can be set to: the options of its list, which the server counts under all the other filters. */
export async function optionsOf(
  filter: ListFilter,
  signal: AbortSignal,
): Promise<readonly Facet[] | Problem> {
  try {
    const counted = await request<Facets>('GET', 'facets', { query: currentQuery(), signal });
    learn(counted);
    return withChosen(counted[filter], filter);
  } catch (error) {
    if (isAbort(error)) return [];
    return problemFrom(error);
  }
}

/** What is chosen stays in the list, also where nothing matches it any more. */
function withChosen(options: readonly Facet[], filter: ListFilter): readonly Facet[] {
  const there = new Set(options.map((option) => option.value));
  const missing = view.peek()[filter].filter((value) => !there.has(value));
  return [
    ...options,
    ...missing.map((value) => {
      const { name, kind } = filter === 'modifiers' ? modifierName(value) : { name: value, kind: undefined };
      return { value, name, count: 0, ...(kind === undefined ? {} : { kind }) };
    }),
  ];
}

function learn(counted: Facets): void {
  const next = new Map(names.peek());
  for (const { value, name, kind } of counted.modifiers) next.set(value, { name, kind });
  names.value = next;
}
