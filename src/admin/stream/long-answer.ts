import type { Authenticator } from '../auth/authenticator.js';
import { principalOf, type GuardedRequest } from '../auth/guard.js';
import { STALLED_MS, type SseStream } from './sse.js';

/**
 * Interval between two checks of an answer that takes long. When its token is revoked, it ends within this
 * time plus the time for which principals are cached.
 */
export const CHECK_MS = 5_000;

export interface LongAnswer {
  readonly request: GuardedRequest;
  readonly authenticator: Pick<Authenticator, 'isStill'>;
  /** Whether the client has read what it was sent, or a part of it since the last check. */
  readonly isRead: () => boolean;
  /** A client that has not read for this long is disconnected. */
  readonly stalledMs: number;
  /** Ends the answer because its token or session has ended, or may do less or something else now. */
  readonly end: () => void;
  /** Closes the connection of a client that does not read. */
  readonly destroy: () => void;
  /** Called at each check. */
  readonly checked?: () => void;
}

/**
 * Supervises an answer that may take longer than its token is valid, or than its client reads: a stream, or a
 * download. Returns the function that ends the supervision.
 */
export function supervise(answer: LongAnswer): () => void {
  const { request, authenticator, isRead, stalledMs } = answer;
  const principal = principalOf(request);
  let stalled = 0;
  const timer = setInterval(() => {
    void authenticator.isStill(request, principal).then((isStill) => {
      if (!isStill) answer.end();
    });
    stalled = isRead() ? 0 : stalled + CHECK_MS;
    if (stalled >= stalledMs) answer.destroy();
    answer.checked?.();
  }, CHECK_MS);
  return () => clearInterval(timer);
}

/** Supervises a stream of events. */
export const superviseStream = (
  options: Pick<LongAnswer, 'request' | 'authenticator' | 'checked'> & { readonly stream: SseStream },
): (() => void) =>
  supervise({
    ...options,
    isRead: () => options.stream.writable,
    stalledMs: STALLED_MS,
    end: () => options.stream.end(),
    destroy: () => options.stream.destroy(),
  });
