import { batch, computed, effect, signal } from '@preact/signals';
import type { Entry, EntryPage, Problem } from '../api-types.ts';
import { isAbort, problemFrom, request } from '../http/client.ts';
import { onRecovery } from '../http/recovery.ts';
import { checkRange, resolveRange } from '../time/ranges.ts';
import { rangeLimit, session } from './session.ts';
import { filterQuery, type View } from './url-state.ts';
import { view, zone } from './view.ts';

const ENTRIES_PER_PAGE = 50;
/**
 * Number of rows in the document beyond which whole pages are dropped. One page is always left. Dropped pages
 * are fetched again when they are needed.
 */
export const MAX_ROWS = 500;

export type ListState =
  | { readonly is: 'loading' }
  | { readonly is: 'ready' }
  | { readonly is: 'failed'; readonly problem: Problem };

/** Whether the list of the view is loading, shown or failed. */
export const listState = signal<ListState>({ is: 'loading' });
/** Entries that arrived after the pages were loaded, newest first. They are shown above the first page. */
export const arrived = signal<readonly Entry[]>([]);
/** Pages of entries as they were loaded, newest first. */
const entryPages = signal<readonly EntryPage[]>([]);
/** Whether newer rows were dropped from the top to keep the document small. */
export const droppedAbove = signal(false);
/** Whether the next page is being loaded. */
export const loadingMore = signal(false);
/** Why the next page, or the newest one, could not be loaded. */
export const moreProblem = signal<Problem | null>(null);
/** Retries what has failed with that problem. */
let retryMore: () => Promise<void> = loadMore;

/** All entries of the list, newest first. */
export const rows = computed(() => [...arrived.value, ...entryPages.value.flatMap(({ items }) => items)]);
/** Whether there are older entries to load. */
export const hasMore = computed(() => (entryPages.value.at(-1)?.next ?? null) !== null);
/**
 * Identifies the query of entries, stream and facets: equal keys mean equal queries. Null if nobody is signed
 * in.
 */
export const queryKey = computed(() => queryKeyOf(view.value));
/** The reason why the server would refuse the range of the view. Null if it would accept the range. */
export const rangeProblem = computed(() => {
  if (session.value === null) return null;
  return checkRange(view.value.range, { now: Date.now(), zone: zone.value, ...rangeLimit.value });
});

let abort = new AbortController();
/**
 * The query of the list that is shown. All pages of the list use it, so that a moving range does not shift
 * between two pages.
 */
let query = new URLSearchParams();
let onLoaded: (newest: string | undefined) => void = () => {};
let onReset: () => void = () => {};

/**
 * Sets the callbacks of the live feed. `reset` is called when the list is dropped. `loaded` is called when a
 * list was loaded, with the id of its newest entry.
 */
export function onList(listeners: { reset: () => void; loaded: (newest: string | undefined) => void }): void {
  onReset = listeners.reset;
  onLoaded = listeners.loaded;
}

/** Reloads the list when the query changes while somebody is signed in. */
export function followEntries(): void {
  effect(() => {
    const key = queryKey.value;
    if (session.value === null || key === null) {
      abort.abort();
      onReset();
      return;
    }
    void reload();
  });
  onRecovery(() => {
    if (session.peek() === null) return;
    if (listState.peek().is === 'failed') void reload();
    else if (moreProblem.peek() !== null) void retryMore();
  });
}

/**
 * Fetches the newest page of entries and replaces the list with it. `quiet` keeps the old rows visible until
 * then.
 */
export async function reload(options: { readonly quiet?: boolean } = {}): Promise<void> {
  abort.abort();
  abort = new AbortController();
  const { signal } = abort;
  onReset();
  if (rangeProblem.peek() !== null) return;
  if (options.quiet !== true) listState.value = { is: 'loading' };
  query = currentQuery();
  try {
    const entryPage = await fetchEntryPage(null, signal);
    batch(() => {
      arrived.value = [];
      entryPages.value = [entryPage];
      droppedAbove.value = false;
      moreProblem.value = null;
      loadingMore.value = false;
      listState.value = { is: 'ready' };
    });
    onLoaded(entryPage.items[0]?.id);
  } catch (error) {
    if (!isAbort(error)) listState.value = { is: 'failed', problem: problemFrom(error) };
  }
}

/**
 * Fetches the newest page and adds entries that are missing at the top of the list. They have arrived after
 * an empty list was loaded and before its stream was open.
 */
export async function catchUp(): Promise<void> {
  const { signal } = abort;
  try {
    const entryPage = await fetchEntryPage(null, signal);
    moreProblem.value = null;
    if (rows.peek().length === 0) entryPages.value = [entryPage];
    else addOnTop(entryPage.items);
  } catch (error) {
    if (isAbort(error)) return;
    retryMore = catchUp;
    moreProblem.value = problemFrom(error);
  }
}

/** Appends the next page. Drops rows at the top when there are too many. */
export async function loadMore(): Promise<void> {
  const cursor = entryPages.peek().at(-1)?.next ?? null;
  if (cursor === null || loadingMore.peek()) return;
  loadingMore.value = true;
  moreProblem.value = null;
  const { signal } = abort;
  try {
    const entryPage = await fetchEntryPage(cursor, signal);
    batch(() => {
      entryPages.value = [...entryPages.peek(), entryPage];
      trimAbove();
      loadingMore.value = false;
    });
  } catch (error) {
    if (isAbort(error)) return;
    loadingMore.value = false;
    retryMore = loadMore;
    moreProblem.value = problemFrom(error);
  }
}

/**
 * Adds entries at the top that are not in the list yet, newest first. Drops pages at the bottom if there are
 * too many rows.
 */
export function addOnTop(entries: readonly Entry[]): void {
  const known = new Set(rows.peek().map((entry) => entry.id));
  const fresh = entries.filter((entry) => !known.has(entry.id));
  if (fresh.length === 0) return;
  arrived.value = [...fresh, ...arrived.peek()];
  // Only whole pages are dropped, because the cursor of the page above leads back to them.
  let kept = entryPages.peek();
  let count = rows.peek().length;
  while (count > MAX_ROWS && kept.length > 1) {
    count -= kept.at(-1)!.items.length;
    kept = kept.slice(0, -1);
  }
  if (kept !== entryPages.peek()) entryPages.value = kept;
  // No cursor leads back to arrived rows, so they are replaced by a newly fetched page.
  if (arrived.peek().length > MAX_ROWS / 2) void reload({ quiet: true });
}

function trimAbove(): void {
  let kept = entryPages.peek();
  let count = rows.peek().length;
  if (count <= MAX_ROWS) return;
  count -= arrived.peek().length;
  arrived.value = [];
  while (count > MAX_ROWS) {
    count -= kept[0]!.items.length;
    kept = kept.slice(1);
  }
  entryPages.value = kept;
  droppedAbove.value = true;
}

async function fetchEntryPage(cursor: string | null, signal: AbortSignal): Promise<EntryPage> {
  const asked = new URLSearchParams(query);
  asked.set('limit', String(ENTRIES_PER_PAGE));
  if (cursor !== null) asked.set('cursor', cursor);
  return request<EntryPage>('GET', 'entries', { query: asked, signal });
}

/** Builds the query of the view as of now. */
export function currentQuery(now = Date.now()): URLSearchParams {
  const current = view.peek();
  const range = resolveRange(current.range, { now, zone: zone.peek(), ...rangeLimit.peek() });
  const query = filterQuery(current, range);
  // The server counts the days of a range without ends in this zone.
  query.set('timezone', zone.peek());
  return query;
}

function queryKeyOf(current: View): string | null {
  if (session.value === null) return null;
  // In another zone, a day begins at a different instant.
  const isCalendar = current.range.kind !== 'last-hour' && current.range.kind !== 'last-24-hours';
  return `${filterQuery(current, {}).toString()}|${JSON.stringify(current.range)}|${isCalendar ? zone.value : ''}`;
}
