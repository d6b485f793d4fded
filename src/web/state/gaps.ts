import { batch, computed, effect, signal } from '@preact/signals';
import type { GapList, Problem } from '../api-types.ts';
import { isOwn } from '../entry/own-entries.ts';
import { isAbort, problemFrom, request } from '../http/client.ts';
import { isOpenEnded, resolveRange } from '../time/ranges.ts';
import { arrived, rangeProblem } from './entries.ts';
import { waiting } from './live.ts';
import { rangeLimit, session } from './session.ts';
import { filterQuery, NO_FILTERS } from './url-state.ts';
import { view, zone } from './view.ts';

/** Maximum number of gaps that are listed; further ones are only counted. */
const MAX_NAMED = 5;
/**
 * Time between two requests. Polling is needed because no entry that could announce a gap arrives while
 * recording is stopped.
 */
const POLL_MS = 30_000;

/** Gaps of the trail in the range of the view, whatever its filters; null before the first answer. */
export const gaps = signal<GapList | null>(null);
/** The reason for which the gaps are not known. */
export const gapsProblem = signal<Problem | null>(null);

const queryKey = computed(() =>
  session.value === null || rangeProblem.value !== null
    ? null
    : JSON.stringify([view.value.range, zone.value]),
);
const newestOwn = computed(() => [...waiting.value, ...arrived.value].find(isOwn)?.id);

let abort = new AbortController();

/**
 * Loads the gaps when the range changes, when an entry announces a gap, and regularly if the range has no
 * end.
 */
export function followGaps(): void {
  effect(() => {
    const key = queryKey.value;
    abort.abort();
    batch(() => {
      gaps.value = null;
      gapsProblem.value = null;
    });
    if (key === null) return undefined;
    void loadGaps();
    const timer = setInterval(() => {
      if (!document.hidden && isOpenEnded(view.peek().range)) void loadGaps({ quiet: true });
    }, POLL_MS);
    return () => clearInterval(timer);
  });
  effect(() => {
    if (newestOwn.value !== undefined && queryKey.peek() !== null) void loadGaps({ quiet: true });
  });
}

/** Loads the gaps of the view. `quiet` keeps the known gaps if the request fails. */
export async function loadGaps(options: { readonly quiet?: boolean } = {}): Promise<void> {
  abort.abort();
  abort = new AbortController();
  const { range } = view.peek();
  const query = filterQuery(
    NO_FILTERS,
    resolveRange(range, { now: Date.now(), zone: zone.peek(), ...rangeLimit.peek() }),
  );
  query.set('timezone', zone.peek());
  query.set('limit', String(MAX_NAMED));
  try {
    const found = await request<GapList>('GET', 'gaps', { query, signal: abort.signal });
    batch(() => {
      // An unchanged answer must not make a screen reader repeat it.
      if (JSON.stringify(found) !== JSON.stringify(gaps.peek())) gaps.value = found;
      gapsProblem.value = null;
    });
  } catch (error) {
    if (isAbort(error) || (options.quiet === true && gaps.peek() !== null)) return;
    gapsProblem.value = problemFrom(error);
  }
}
