import { effect, signal } from '@preact/signals';
import type { Entry, Problem } from '../api-types.ts';
import { parseExact } from '../exact-json.ts';
import { openStream, type ConnectionState } from '../http/stream-connection.ts';
import { entriesText } from '../texts/numbers.ts';
import { isOpenEnded } from '../time/ranges.ts';
import { announce } from './announcements.ts';
import { addOnTop, catchUp, droppedAbove, onList, reload } from './entries.ts';
import { openModals } from './modals.ts';
import { filterQuery } from './url-state.ts';
import { view } from './view.ts';

/** State of the live feed. `off`: the range has an end, so no new entry can fall into it. */
export type LiveState = ConnectionState | 'off' | 'refused';

export const liveState = signal<LiveState>('off');
/** Why the server refused the live feed. */
export const liveProblem = signal<Problem | null>(null);
/** Whether the reader has stopped the list from moving. Entries that arrive in the meantime are counted. */
export const paused = signal(false);
/** Entries that arrived and wait for the reader, newest first. */
export const waiting = signal<readonly Entry[]>([]);
/** Whether more entries arrived than are kept. To show them, the newest page has to be loaded. */
export const waitingOverflow = signal(false);
/** Ids of the rows that were added last; they are highlighted for a moment. */
export const highlighted = signal<ReadonlySet<string>>(new Set());

/** Minimum time between two changes of the list, so that a burst does not make it flicker. */
const FLUSH_MS = 200;
const MAX_WAITING = 500;
const HIGHLIGHT_MS = 2_500;
const ANNOUNCE_MS = 10_000;
/** Time after which a hidden tab closes its connection, because browsers allow six to each server. */
const HIDDEN_MS = 30_000;
const TOP_PX = 120;

let stop: () => void = () => {};
let newest: string | undefined;
let buffer: Entry[] = [];
let flushTimer: ReturnType<typeof setTimeout> | undefined;
let highlightTimer: ReturnType<typeof setTimeout> | undefined;
let announceTimer: ReturnType<typeof setTimeout> | undefined;
let unannounced = 0;

/** Connects the live feed to the list. Called once, when the page starts. */
export function followLive(): void {
  onList({ reset: disconnect, loaded: connect });
  effect(() => {
    // When the pause ends or the last dialog closes, waiting entries are shown.
    if (paused.value || openModals.value > 0) return;
    if (waiting.peek().length > 0 && isAtTop() && !droppedAbove.peek()) showWaiting();
  });
  addEventListener('scroll', () => {
    if (!paused.peek() && waiting.peek().length > 0 && scrollY < 8 && !droppedAbove.peek()) showWaiting();
  });
  let hiddenTimer: ReturnType<typeof setTimeout> | undefined;
  let isAway = false;
  document.addEventListener('visibilitychange', () => {
    clearTimeout(hiddenTimer);
    if (document.hidden) {
      hiddenTimer = setTimeout(() => {
        isAway = true;
        stop();
      }, HIDDEN_MS);
    } else if (isAway) {
      isAway = false;
      if (liveState.peek() !== 'off' && liveState.peek() !== 'refused') connect(newest);
    }
  });
}

/** Adds the waiting entries on top of the list. */
export function showWaiting(): void {
  flush();
  if (waitingOverflow.peek() || droppedAbove.peek()) {
    void reload();
    return;
  }
  const entries = waiting.peek();
  waiting.value = [];
  if (entries.length > 0) showOnTop(entries);
}

function connect(id: string | undefined): void {
  stop();
  newest = id;
  liveProblem.value = null;
  if (!isOpenEnded(view.peek().range)) {
    liveState.value = 'off';
    return;
  }
  let isFirstOpen = id === undefined;
  stop = openStream({
    path: 'entries/stream',
    query: filterQuery(view.peek(), {}),
    ...(id === undefined ? {} : { lastEventId: id }),
    onState: (state) => {
      liveState.value = state;
      // An empty list has no entry to resume after, so entries that arrived between the list and the stream
      // are fetched by another request.
      if (state === 'open' && isFirstOpen) {
        isFirstOpen = false;
        void catchUp();
      }
    },
    // Events of other types say something of the stream itself.
    onEvent: ({ type, data }) => {
      if (type === 'message') arrive(parseExact(data) as Entry);
    },
    onRefused: (error) => {
      liveState.value = 'refused';
      liveProblem.value = error.problem;
    },
  });
}

function disconnect(): void {
  stop();
  stop = () => {};
  clearTimeout(flushTimer);
  flushTimer = undefined;
  buffer = [];
  waiting.value = [];
  waitingOverflow.value = false;
}

function arrive(entry: Entry): void {
  newest = entry.id;
  buffer.push(entry);
  flushTimer ??= setTimeout(flush, FLUSH_MS);
}

function flush(): void {
  clearTimeout(flushTimer);
  flushTimer = undefined;
  if (buffer.length === 0) return;
  const entries = buffer.reverse();
  buffer = [];
  sayLater(entries.length);
  if (!paused.peek() && isAtTop() && !droppedAbove.peek() && waiting.peek().length === 0) showOnTop(entries);
  else {
    const all = [...entries, ...waiting.peek()];
    if (all.length > MAX_WAITING) waitingOverflow.value = true;
    waiting.value = all.slice(0, MAX_WAITING);
  }
}

function showOnTop(entries: readonly Entry[]): void {
  addOnTop(entries);
  highlighted.value = new Set(entries.map((entry) => entry.id));
  clearTimeout(highlightTimer);
  highlightTimer = setTimeout(() => (highlighted.value = new Set()), HIGHLIGHT_MS);
}

/** Announces arrivals as one summary, so that a screen reader can read the page in between. */
function sayLater(count: number): void {
  unannounced += count;
  announceTimer ??= setTimeout(() => {
    announceTimer = undefined;
    announce(`${entriesText(unannounced).replace(/ (entr)/, ' new $1')}`);
    unannounced = 0;
  }, ANNOUNCE_MS);
}

const isAtTop = (): boolean => scrollY <= TOP_PX && openModals.peek() === 0;
