import { batch, computed, effect, signal } from '@preact/signals';
import type { Entry, EntryPage, Problem } from '../api-types.ts';
import { isAbort, problemFrom, request } from '../http/client.ts';
import { checkRange, resolveRange } from '../time/ranges.ts';
import { session } from './session.ts';
import { filterQuery, type View } from './url-state.ts';
import { view, zone } from './view.ts';

export const PAGE_SIZE = 50;
/** Rows in the document at most; what is beyond is fetched again when it is wanted. */
export const MAX_ROWS = 500;

export type ListState =
  | { readonly is: 'loading' }
  | { readonly is: 'ready' }
  | { readonly is: 'failed'; readonly problem: Problem };

/** The list of the current view: arrived rows on top, then pages as they were loaded, newest first. */
export const listState = signal<ListState>({ is: 'loading' });
export const arrived = signal<readonly Entry[]>([]);
export const pages = signal<readonly EntryPage[]>([]);
/** Rows above the first were dropped to keep the document small. */
export const droppedAbove = signal(false);
export const loadingMore = signal(false);
export const moreProblem = signal<Problem | null>(null);

export const rows = computed(() => [...arrived.value, ...pages.value.flatMap((page) => page.items)]);
export const hasMore = computed(() => (pages.value.at(-1)?.next ?? null) !== null);
/** What the entries, the stream and the facets are asked for; the same text means the same question. */
export const question = computed(() => questionOf(view.value));
/** Why the range of the view cannot be asked for. */
export const rangeProblem = computed(() => {
  const maxRangeDays = session.value?.maxRangeDays;
  return maxRangeDays === undefined ? null : checkRange(view.value.range, { now: Date.now(), maxRangeDays });
});

let abort = new AbortController();
/** The query of the list as shown: a moving range must not move between its pages. */
let query = new URLSearchParams();
let onLoaded: (newest: string | undefined) => void = () => {};
let onReset: () => void = () => {};

/** Sets who is told that a list is dropped and that a new one was loaded, with the id of its first entry: the live feed. */
export function onList(listeners: { reset: () => void; loaded: (newest: string | undefined) => void }): void {
  onReset = listeners.reset;
  onLoaded = listeners.loaded;
}

/** Loads the list anew whenever somebody is signed in and the question changed. */
export function followQuestion(): void {
  effect(() => {
    const asked = question.value;
    if (session.value === null || asked === null) {
      abort.abort();
      onReset();
      return;
    }
    void reload();
  });
}

/** Fetches the newest page of the view and shows it in place of the list. `quiet` keeps the rows meanwhile. */
export async function reload(options: { readonly quiet?: boolean } = {}): Promise<void> {
  abort.abort();
  abort = new AbortController();
  const { signal } = abort;
  onReset();
  if (rangeProblem.peek() !== null) return;
  if (options.quiet !== true) listState.value = { is: 'loading' };
  query = currentQuery();
  try {
    const page = await fetchPage(null, signal);
    batch(() => {
      arrived.value = [];
      pages.value = [page];
      droppedAbove.value = false;
      moreProblem.value = null;
      loadingMore.value = false;
      listState.value = { is: 'ready' };
    });
    onLoaded(page.items[0]?.id);
  } catch (error) {
    if (!isAbort(error)) listState.value = { is: 'failed', problem: problemFrom(error) };
  }
}

/** Fetches the newest page and puts what is not there yet on top: for what came between an empty list and its stream. */
export async function catchUp(): Promise<void> {
  const { signal } = abort;
  try {
    const page = await fetchPage(null, signal);
    if (rows.peek().length === 0) pages.value = [page];
    else addOnTop(page.items);
  } catch (error) {
    if (!isAbort(error)) moreProblem.value = problemFrom(error);
  }
}

/** Appends the next page; rows above go when there are too many. */
export async function loadMore(): Promise<void> {
  const cursor = pages.peek().at(-1)?.next ?? null;
  if (cursor === null || loadingMore.peek()) return;
  loadingMore.value = true;
  moreProblem.value = null;
  const { signal } = abort;
  try {
    const page = await fetchPage(cursor, signal);
    batch(() => {
      pages.value = [...pages.peek(), page];
      trimAbove();
      loadingMore.value = false;
    });
  } catch (error) {
    if (isAbort(error)) return;
    loadingMore.value = false;
    moreProblem.value = problemFrom(error);
  }
}

/** Puts entries on top, newest first; those that are there already are left out. Rows below go when there are too many. */
export function addOnTop(entries: readonly Entry[]): void {
  const known = new Set(rows.peek().map((entry) => entry.id));
  const fresh = entries.filter((entry) => !known.has(entry.id));
  if (fresh.length === 0) return;
  arrived.value = [...fresh, ...arrived.peek()];
  // Whole pages only: the cursor of the page before leads back to them.
  let kept = pages.peek();
  let count = rows.peek().length;
  while (count > MAX_ROWS && kept.length > 1) {
    count -= kept.at(-1)!.items.length;
    kept = kept.slice(0, -1);
  }
  if (kept !== pages.peek()) pages.value = kept;
  // Rows that only arrived have no cursor to come back by: a fresh page takes their place.
  if (arrived.peek().length > MAX_ROWS / 2) void reload({ quiet: true });
}

function trimAbove(): void {
  let kept = pages.peek();
  let count = rows.peek().length;
  if (count <= MAX_ROWS) return;
  count -= arrived.peek().length;
  arrived.value = [];
  while (count > MAX_ROWS) {
    count -= kept[0]!.items.length;
    kept = kept.slice(1);
  }
  pages.value = kept;
  droppedAbove.value = true;
}

async function fetchPage(cursor: string | null, signal: AbortSignal): Promise<EntryPage> {
  const asked = new URLSearchParams(query);
  asked.set('limit', String(PAGE_SIZE));
  if (cursor !== null) asked.set('cursor', cursor);
  return request<EntryPage>('GET', 'entries', { query: asked, signal });
}

/** The query of the view as of now. */
export function currentQuery(now = Date.now()): URLSearchParams {
  const maxRangeDays = session.peek()?.maxRangeDays ?? Infinity;
  const current = view.peek();
  return filterQuery(current, resolveRange(current.range, { now, zone: zone.peek(), maxRangeDays }));
}

function questionOf(current: View): string | null {
  if (session.value === null) return null;
  // "Today" begins elsewhere in another zone; no other range depends on it.
  const isCalendar = current.range.kind === 'today' || current.range.kind === 'yesterday';
  return `${filterQuery(current, {}).toString()}|${JSON.stringify(current.range)}|${isCalendar ? zone.value : ''}`;
}
