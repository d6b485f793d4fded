import type { ComponentChildren } from 'preact';
import { coverage } from '../state/coverage.ts';
import { listState, rangeProblem } from '../state/entries.ts';
import { total } from '../state/facets.ts';
import {
  liveBehindSeconds,
  liveProblem,
  liveState,
  paused,
  showWaiting,
  waiting,
  waitingOverflow,
} from '../state/live.ts';
import { session } from '../state/session.ts';
import { chooseZone, view, zone } from '../state/view.ts';
import { recordingOf, RECORDING_TEXTS } from '../texts/coverage-texts.ts';
import { CROWDED_TEXT } from '../texts/live-texts.ts';
import { countText, entriesText, spanText } from '../texts/numbers.ts';
import { dateText, secondText, timeText } from '../time/format.ts';
import { rangeText } from '../time/ranges.ts';
import { localZone } from '../time/zone.ts';
import { ArrowUpIcon, PauseIcon } from '../ui/icons.tsx';

/**
 * Shows what the list contains, in which zone, and whether it is live. `children` are the buttons that act on
 * the list.
 */
export function Toolbar({ children }: { children: ComponentChildren }) {
  const counted = total.value;
  return (
    <div class="toolbar">
      <p class="summary">
        {rangeProblem.value === null && (
          <>
            <strong>
              {counted === null
                ? listState.value.is === 'loading'
                  ? 'Loading…'
                  : 'Entries'
                : entriesText(counted)}
            </strong>
            <span class="summary-range">{rangeText(view.value.range, zone.value)}</span>
          </>
        )}
      </p>
      <ZoneSelect />
      <LiveIndicator />
      {children}
    </div>
  );
}

/** Shows how many new entries wait, as a button that adds them to the list. */
export function NewEntries() {
  const count = waiting.value.length;
  if (count === 0) return null;
  const show = (): void => {
    showWaiting();
    const isStill = matchMedia('(prefers-reduced-motion: reduce)').matches;
    scrollTo({ top: 0, behavior: isStill ? 'auto' : 'smooth' });
    document.querySelector<HTMLElement>('[data-row-link]')?.focus({ preventScroll: true });
  };
  return (
    <div class="new-entries">
      <button type="button" class="primary" onClick={show}>
        <ArrowUpIcon />
        {countText(count)}
        {waitingOverflow.value ? '+' : ''} new {count === 1 ? 'entry' : 'entries'}
      </button>
    </div>
  );
}

function ZoneSelect() {
  const report = session.value?.timezone ?? 'UTC';
  const local = localZone();
  const options = new Map<string, string>([
    ['UTC', 'UTC'],
    [local, local === 'UTC' ? 'UTC' : `${local} (this browser)`],
  ]);
  if (report !== 'UTC') options.set(report, `${report} (reports)`);
  if (!options.has(zone.value)) options.set(zone.value, zone.value);
  return (
    <div class="zone">
      <label class="visually-hidden" for="zone">
        Time zone
      </label>
      <select id="zone" value={zone.value} onChange={(event) => chooseZone(event.currentTarget.value)}>
        {[...options].map(([name, text]) => (
          <option key={name} value={name}>
            {text}
          </option>
        ))}
      </select>
    </div>
  );
}

const LIVE_TEXTS = {
  off: ['Not live', 'This range has an end, so no new entries can be in it.'],
  connecting: ['Connecting…', 'Connecting to the live feed.'],
  open: ['Live', 'New entries appear automatically.'],
  reconnecting: [
    'Reconnecting…',
    'The connection was lost. The page reconnects automatically and misses no entry.',
  ],
  refused: ['Not live', 'The server refused the live feed.'],
  crowded: ['Not live', CROWDED_TEXT],
} as const;

/** Returns a time, with its date unless it is today. */
function untilText(until: string, zoneName: string): string {
  const isToday = dateText(until, zoneName) === dateText(new Date().toISOString(), zoneName);
  return isToday ? timeText(until, zoneName) : secondText(until, zoneName);
}

/** A feed that is less behind counts as live. The server reports the delay every few seconds. */
const BEHIND_SECONDS = 5;

/**
 * Shows whether the list is live, with the switch that stops it from moving (WCAG 2.2.2). An open feed brings
 * nothing new while recording is behind or stopped. So "live" means that the feed is open and recording is
 * current.
 */
function LiveIndicator() {
  const state = liveState.value;
  const isFollowing = state !== 'off' && state !== 'refused' && state !== 'crowded';
  const isPaused = paused.value && isFollowing;
  const known = coverage.value;
  const recording = known === null ? 'current' : recordingOf(known);
  const isTold = state === 'open' && recording !== 'current';
  const behindSeconds = state === 'open' ? liveBehindSeconds.value : 0;
  const isCatchingUp = !isTold && behindSeconds >= BEHIND_SECONDS;
  const [word, sentence] = isTold
    ? ([RECORDING_TEXTS[recording].word, RECORDING_TEXTS[recording].sentence] as const)
    : isCatchingUp
      ? ([
          `${spanText(behindSeconds)} behind`,
          `This list is ${spanText(behindSeconds)} behind the trail. Newer entries will appear here.`,
        ] as const)
      : LIVE_TEXTS[state];
  const until = known?.until ?? null;
  const upTo = until === null || !isFollowing ? '' : ` up to ${untilText(until, zone.value)}`;
  const title = liveProblem.value?.detail ?? liveProblem.value?.title ?? sentence;
  const content = (
    <>
      {isPaused ? <PauseIcon /> : <span class="live-dot" aria-hidden="true" />}
      {isPaused ? 'Paused' : word}
      {upTo !== '' && <span class="live-until">{upTo}</span>}
    </>
  );
  const className = `live live-${isPaused ? 'paused' : isTold ? recording : isCatchingUp ? 'behind' : state}`;
  if (!isFollowing) {
    return (
      <span class={className} title={title}>
        {content}
      </span>
    );
  }
  return (
    <button
      type="button"
      class={className}
      title={isPaused ? 'Show new entries automatically again' : `${title} Click to pause.`}
      aria-pressed={isPaused}
      aria-label={isPaused ? 'Live updates, paused' : `Live updates, ${word.toLowerCase()}${upTo}; pause`}
      onClick={() => (paused.value = !paused.value)}
    >
      {content}
    </button>
  );
}
