import { batch, computed, effect, signal } from '@preact/signals';
import type { GapList, Problem } from '../api-types.ts';
import { isOwn } from '../entry/own-entries.ts';
import { isAbort, problemFrom, request } from '../http/client.ts';
import { onRecovery } from '../http/recovery.ts';
import { resolveRange, type ResolvedRange } from '../time/ranges.ts';
import { coverage, gapsVersion, loadCoverage } from './coverage.ts';
import { arrived, rangeProblem } from './entries.ts';
import { waiting } from './live.ts';
import { rangeLimit, session } from './session.ts';
import { filterQuery, NO_FILTERS } from './url-state.ts';
import { view, zone } from './view.ts';

/** Maximum number of gaps that are listed. Further ones are only counted. */
const MAX_NAMED = 5;
/** Gaps of the trail in the range of the view, regardless of filters. Null before the first answer. */
export const gaps = signal<GapList | null>(null);
/** The reason why the gaps are not known. */
export const gapsProblem = signal<Problem | null>(null);

const queryKey = computed(() =>
  session.value === null || rangeProblem.value !== null
    ? null
    : JSON.stringify([view.value.range, zone.value]),
);
const newestOwn = computed(() => [...waiting.value, ...arrived.value].find(isOwn)?.id);

let abort = new AbortController();

/** Loads the gaps when the range changes, and when the server reports a new version of them. */
export function followGaps(): void {
  effect(() => {
    const key = queryKey.value;
    abort.abort();
    batch(() => {
      gaps.value = null;
      gapsProblem.value = null;
    });
    if (key !== null) void loadGaps();
  });
  let known: string | null = null;
  effect(() => {
    const version = gapsVersion.value;
    // The first version belongs to the list that is being loaded anyway.
    if (known !== null && version !== null && version !== known && queryKey.peek() !== null)
      void loadGaps({ quiet: true });
    known = version;
  });
  // One of Waltrail's own entries may be about a gap, so the version is requested immediately.
  effect(() => {
    if (newestOwn.value !== undefined) void loadCoverage();
  });
  effect(() => {
    if (coverage.value !== null && hasLeft()) void loadGaps({ quiet: true });
  });
  onRecovery(() => {
    if (gapsProblem.peek() !== null && queryKey.peek() !== null) void loadGaps();
  });
}

/** Whether a gap that is shown is no longer in the range, because the range has moved with the time. */
function hasLeft(): boolean {
  const { from } = rangeNow();
  return (
    from !== undefined &&
    (gaps.peek()?.items ?? []).some(
      ({ closedAt }) => closedAt !== null && Date.parse(closedAt) < Date.parse(from),
    )
  );
}

const rangeNow = (): ResolvedRange =>
  resolveRange(view.peek().range, { now: Date.now(), zone: zone.peek(), ...rangeLimit.peek() });

/** Loads the gaps of the view. `quiet` keeps the known gaps if the request fails. */
export async function loadGaps(options: { readonly quiet?: boolean } = {}): Promise<void> {
  abort.abort();
  abort = new AbortController();
  const query = filterQuery(NO_FILTERS, rangeNow());
  query.set('timezone', zone.peek());
  query.set('limit', String(MAX_NAMED));
  try {
    const found = await request<GapList>('GET', 'gaps', { query, signal: abort.signal });
    batch(() => {
      // A screen reader must not repeat an unchanged alert.
      if (JSON.stringify(found) !== JSON.stringify(gaps.peek())) gaps.value = found;
      gapsProblem.value = null;
    });
  } catch (error) {
    if (isAbort(error) || (options.quiet === true && gaps.peek() !== null)) return;
    gapsProblem.value = problemFrom(error);
  }
}
