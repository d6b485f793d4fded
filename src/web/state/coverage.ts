import { batch, computed, effect, signal } from '@preact/signals';
import type { Coverage, Status } from '../api-types.ts';
import { request } from '../http/client.ts';
import { onRecovery } from '../http/recovery.ts';
import { uncovered } from '../texts/coverage-texts.ts';
import { secondText } from '../time/format.ts';
import { earliestOf, resolveRange } from '../time/ranges.ts';
import { rangeLimit, session } from './session.ts';
import { view, zone } from './view.ts';

/** Time between two requests: how far recording is has to be current itself. */
const POLL_MS = 5_000;

/** What the trail covers, as of the last answer; null before the first. */
export const coverage = signal<Coverage | null>(null);

/** The commit time of the newest entry; null where there is none, and for readers of one tenant. */
const newest = signal<string | null>(null);

/**
 * The version of the list of gaps, as of the last answer; null before the first. It is asked for with what
 * the trail covers, so that the list itself is read, and recorded as read, only when it has changed.
 */
export const gapsVersion = signal<string | null>(null);

/** What the trail does not cover of the range that is shown; null: that is not known yet. */
export const uncoveredPart = computed(() => {
  const known = coverage.value;
  if (known === null) return null;
  const limit = { ...rangeLimit.value, zone: zone.value };
  const now = Date.now();
  const { from, to } = resolveRange(view.value.range, { now, ...limit });
  const end = to === undefined ? now : Date.parse(to);
  const begin = from === undefined ? earliestOf(end, limit) : Date.parse(from);
  return uncovered({ from: begin, to: end }, { coverage: known, newest: newest.value }, (instant) =>
    secondText(instant, zone.value),
  );
});

/** Asks what the trail covers while somebody is signed in and looks. */
export function followCoverage(): void {
  effect(() => {
    if (session.value === null) {
      coverage.value = null;
      newest.value = null;
      gapsVersion.value = null;
      return undefined;
    }
    void loadCoverage();
    const timer = setInterval(loadIfSeen, POLL_MS);
    return () => clearInterval(timer);
  });
  // Whoever comes back to the page sees what is so now.
  document.addEventListener('visibilitychange', loadIfSeen);
  addEventListener('online', loadIfSeen);
  onRecovery(loadIfSeen);
}

function loadIfSeen(): void {
  if (!document.hidden && session.peek() !== null) void loadCoverage();
}

/** Asks now. */
export async function loadCoverage(): Promise<void> {
  try {
    const status = await request<Pick<Status, 'trail' | 'coverage' | 'gapsVersion'>>('GET', 'status');
    if (session.peek() === null) return;
    batch(() => {
      coverage.value = status.coverage;
      newest.value = status.trail?.lastCommittedAt ?? null;
      gapsVersion.value = status.gapsVersion;
    });
  } catch {
    // What was current then is not known to be so now.
    const known = coverage.peek();
    if (known !== null) coverage.value = { ...known, asOf: new Date().toISOString(), capture: 'unknown' };
  }
}
