import { effect, signal } from '@preact/signals';
import type { Entry, Problem } from '../api-types.ts';
import { parseExact } from '../exact-json.ts';
import { isShared, openFeed, type Feed } from '../feed/feed.ts';
import { isAfter, type FeedState } from '../feed/messages.ts';
import { apiUrl, sessionHasEnded } from '../http/client.ts';
import { onRecovery } from '../http/recovery.ts';
import { entriesText } from '../texts/numbers.ts';
import { isOpenEnded } from '../time/ranges.ts';
import { announce } from './announcements.ts';
import { addOnTop, catchUp, droppedAbove, onList, reload } from './entries.ts';
import { openModals } from './modals.ts';
import { askWhoIsSignedIn, session } from './session.ts';
import { filterBody } from './url-state.ts';
import { view } from './view.ts';

/** State of the live feed. `off`: the range has an end, so no new entry can fall into it. */
export type LiveState = FeedState | 'off' | 'refused';

export const liveState = signal<LiveState>('off');
/** Why the server refused the live feed. */
export const liveProblem = signal<Problem | null>(null);
/** How far the feed is behind the trail, in seconds, as of its last message. */
export const liveBehindSeconds = signal(0);
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
/**
 * Time after which a hidden tab stops following, because each list costs the server reads. A tab with its own
 * connection stops sooner, because browsers allow six connections to a server.
 */
const HIDDEN_MS = { shared: 30_000, own: 1_000 } as const;
/** Minimum time between two automatic reloads of the list. */
const RESTART_MS = 60_000;
const TOP_PX = 120;

let feed: Feed | undefined;
let restartedAt = 0;
/** Id up to which the list has everything. */
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
  document.addEventListener('visibilitychange', () => (document.hidden ? leaveLater() : comeBack()));
  // A page that the browser keeps for Back receives no messages. So a page that is left stops following.
  addEventListener('pagehide', leave);
  addEventListener('pageshow', ({ persisted }) => persisted && comeBack());
  addEventListener('online', () => feed?.hurry());
  onRecovery(() => feed?.hurry());
}

let hiddenTimer: ReturnType<typeof setTimeout> | undefined;
let isAway = false;

/** Stops following after a while, unless the tab becomes visible before. */
function leaveLater(): void {
  clearTimeout(hiddenTimer);
  hiddenTimer = setTimeout(leave, isShared() ? HIDDEN_MS.shared : HIDDEN_MS.own);
}

function leave(): void {
  isAway = true;
  hangUp();
}

function comeBack(): void {
  clearTimeout(hiddenTimer);
  const wasAway = isAway;
  isAway = false;
  if (wasAway && liveState.peek() !== 'off' && liveState.peek() !== 'refused') connect(newest);
  else feed?.hurry();
}

/** Adds the waiting entries at the top of the list. */
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
  hangUp();
  newest = id;
  liveProblem.value = null;
  liveBehindSeconds.value = 0;
  const current = session.peek();
  if (current === null || !isOpenEnded(view.peek().range)) {
    liveState.value = 'off';
    return;
  }
  const filters = filterBody(view.peek(), {});
  let isFirstOpen = id === undefined;
  feed = openFeed({
    view: () => ({
      url: apiUrl('entries/stream'),
      session: JSON.stringify([current.name, current.role, current.tenant]),
      filters,
      after: newest ?? null,
    }),
    onState: (state) => {
      liveState.value = state;
      // An empty list has no entry to resume after. Entries that arrived before the stream was open are
      // fetched by another request.
      if (state === 'open' && isFirstOpen) {
        isFirstOpen = false;
        void catchUp();
      }
    },
    onEntry: ({ id, json }) => {
      // After the worker was started again, the hub may be at an earlier position than this tab.
      if (newest === undefined || isAfter(id, newest)) arrive(parseExact(json) as Entry);
    },
    onPosition: ({ id, behindSeconds }) => {
      if (newest === undefined || isAfter(id, newest)) newest = id;
      liveBehindSeconds.value = behindSeconds;
    },
    onRefused: (problem) => {
      liveState.value = 'refused';
      liveProblem.value = problem;
      if (problem.status === 401) sessionHasEnded();
      // The stream cannot resume from so long ago, so the list is loaded again.
      else if (problem.code === 'RANGE_TOO_LONG' && Date.now() - restartedAt > RESTART_MS) {
        restartedAt = Date.now();
        void reload();
      }
    },
    onSuperseded: () => void confirmSession(),
  });
  // A tab may be opened in the background.
  if (document.hidden) leaveLater();
}

/** Asks the server who is signed in. If it is still the same person, this tab follows again. */
async function confirmSession(): Promise<void> {
  hangUp();
  const before = session.peek();
  await askWhoIsSignedIn();
  if (session.peek() === before && feed === undefined && !isAway) connect(newest);
}

function hangUp(): void {
  feed?.end();
  feed = undefined;
}

function disconnect(): void {
  hangUp();
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

/** Announces arrivals in one summary, so that a screen reader can read the page in between. */
function sayLater(count: number): void {
  unannounced += count;
  announceTimer ??= setTimeout(() => {
    announceTimer = undefined;
    announce(`${entriesText(unannounced).replace(/ (entr)/, ' new $1')}`);
    unannounced = 0;
  }, ANNOUNCE_MS);
}

const isAtTop = (): boolean => scrollY <= TOP_PX && openModals.peek() === 0;
