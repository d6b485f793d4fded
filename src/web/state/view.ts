import { computed, signal } from '@preact/signals';
import { isZone } from '../time/zone.ts';
import { session } from './session.ts';
import { remember, remembered } from './storage.ts';
import { EMPTY_VIEW, readView, writeView, type View } from './url-state.ts';

/**
 * The view, which always equals that of the URL. `show` changes both. {@link followHistory} handles Back and
 * Forward.
 */
export const view = signal<View>(readView(new URLSearchParams(location.search)));

const ownZone = signal(remembered('zone'));

/**
 * IANA name of the zone of all times shown: the link's zone, else the reader's choice, else the zone of
 * reports.
 */
export const zone = computed(() => {
  const own = ownZone.value !== null && isZone(ownZone.value) ? ownZone.value : null;
  return view.value.zone ?? own ?? session.value?.timezone ?? 'UTC';
});

/**
 * Changes the view and the URL. `push` adds a history entry for Back. `replace` does not; it is for typing,
 * and for moving from entry to entry.
 */
export function show(change: Partial<View>, how: 'push' | 'replace' = 'push'): void {
  const next = { ...view.value, ...change };
  const url = urlOf(next);
  if (url === location.pathname + location.search) return;
  if (how === 'push') history.pushState(null, '', url);
  else history.replaceState(null, '', url);
  view.value = next;
}

/** Builds the path and query of a view, for links. */
export function urlOf(next: View): string {
  const query = writeView(next).toString();
  return location.pathname + (query === '' ? '' : `?${query}`);
}

/** Removes all filters and the range. Zone, panel and open entry stay. */
export function clearFilters(): void {
  show({ ...EMPTY_VIEW, zone: view.value.zone, panel: view.value.panel, entry: view.value.entry });
}

/** Chooses a zone, remembers it and adds it to the link. */
export function chooseZone(name: string): void {
  ownZone.value = name;
  remember('zone', name);
  show({ zone: name }, 'replace');
}

/** Updates the view at Back and Forward. */
export function followHistory(): void {
  addEventListener('popstate', () => {
    view.value = readView(new URLSearchParams(location.search));
  });
}
