/** Limits of the pause before retries. It grows while answered and failed requests alternate. */
const FIRST_PAUSE_MS = 1_000;
const LAST_PAUSE_MS = 30_000;
/** If no request fails for this long after a pause, the next recovery needs no pause. */
const HOLDS_AFTER_MS = 10_000;
/** Statuses for no answer (0), for an answer of a proxy, and for one without the trail. */
const LOST: readonly unknown[] = [0, 502, 503, 504];

const listeners = new Set<() => void>();
let isLost = false;
let pauseMs = 0;
let recoveredAt = -Infinity;
let timer: ReturnType<typeof setTimeout> | undefined;

/**
 * Adds a listener for recovery: a request is answered after another one was not. The listener can then retry
 * what has failed. Returns a function that removes it.
 */
export function onRecovery(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

/** Reports that a request failed, with its HTTP status or, without an answer, 0. */
export function requestFailed(status: unknown): void {
  if (LOST.includes(status)) isLost = true;
}

/** Reports that a request was answered. */
export function requestAnswered(): void {
  if (!isLost) return;
  isLost = false;
  if (timer !== undefined) return;
  // One part of the server may answer while requests to another part still fail. Each recovery causes new
  // requests, so the pauses between recoveries grow.
  const hadHeld = performance.now() - recoveredAt > pauseMs + HOLDS_AFTER_MS;
  pauseMs = hadHeld ? 0 : Math.min(Math.max(FIRST_PAUSE_MS, 2 * pauseMs), LAST_PAUSE_MS);
  // Not in this turn of the event loop: the caller must first handle its answer.
  timer = setTimeout(() => {
    timer = undefined;
    recoveredAt = performance.now();
    for (const listener of [...listeners]) listener();
  }, pauseMs);
}
