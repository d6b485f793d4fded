/** The pauses before what failed is tried again, where requests are answered and lost in turn. */
const FIRST_PAUSE_MS = 1_000;
const LAST_PAUSE_MS = 30_000;
/** If nothing is lost for as long after a pause, the next recovery needs none. */
const HOLDS_AFTER_MS = 10_000;
/** Statuses of an answer that did not come, or came from a proxy or without the trail. */
const LOST: readonly unknown[] = [0, 502, 503, 504];

const listeners = new Set<() => void>();
let isLost = false;
let pauseMs = 0;
let recoveredAt = -Infinity;
let timer: ReturnType<typeof setTimeout> | undefined;

/**
 * Adds a listener that is called when a request is answered after one was not: what failed meanwhile can be
 * tried again. Returns what removes it.
 */
export function onRecovery(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

/** Says that a request failed, with a status of HTTP; 0: without an answer. */
export function requestFailed(status: unknown): void {
  if (LOST.includes(status)) isLost = true;
}

/** Says that a request was answered. */
export function requestAnswered(): void {
  if (!isLost) return;
  isLost = false;
  if (timer !== undefined) return;
  // What one part of the server answers says little of another: its requests may go on failing, and each
  // recovery makes new ones.
  const hadHeld = performance.now() - recoveredAt > pauseMs + HOLDS_AFTER_MS;
  pauseMs = hadHeld ? 0 : Math.min(Math.max(FIRST_PAUSE_MS, 2 * pauseMs), LAST_PAUSE_MS);
  // Not in the midst of what the request was for.
  timer = setTimeout(() => {
    timer = undefined;
    recoveredAt = performance.now();
    for (const listener of [...listeners]) listener();
  }, pauseMs);
}
