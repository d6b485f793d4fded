import { batch, computed, effect, signal } from '@preact/signals';
import type { Coverage, Status } from '../api-types.ts';
import { request } from '../http/client.ts';
import { onRecovery } from '../http/recovery.ts';
import { uncovered } from '../texts/coverage-texts.ts';
import { secondText } from '../time/format.ts';
import { earliestOf, resolveRange } from '../time/ranges.ts';
import { rangeLimit, session } from './session.ts';
import { view, zone } from './view.ts';

/** Time between two requests. It is short, because the page shows how current the recording is. */
const POLL_MS = 5_000;

/** What the trail covers, as of the last answer. Null before the first answer. */
export const coverage = signal<Coverage | null>(null);

/** The commit time of the newest entry. Null if there is none, and for readers of one tenant. */
const newest = signal<string | null>(null);

/**
 * The version of the list of gaps, as of the last answer. Null before the first answer. It comes with the
 * coverage. The list itself is read, and the read recorded, only when its version has changed.
 */
export const gapsVersion = signal<string | null>(null);

/** The part of the range that the trail does not cover. Null: not known yet. */
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

/** Requests the coverage repeatedly while somebody is signed in and the page is visible. */
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
  // A reader who returns to the page sees the current state.
  document.addEventListener('visibilitychange', loadIfSeen);
  addEventListener('online', loadIfSeen);
  onRecovery(loadIfSeen);
}

function loadIfSeen(): void {
  if (!document.hidden && session.peek() !== null) void loadCoverage();
}

/** Requests the coverage now. */
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
    // A trail that was current at the last answer may no longer be current.
    const known = coverage.peek();
    if (known !== null) coverage.value = { ...known, asOf: new Date().toISOString(), capture: 'unknown' };
  }
}
