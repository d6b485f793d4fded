import { ApiError, apiUrl, errorOf, isAbort, send } from './client.ts';
import { EventStreamParser, type StreamEvent } from './event-stream.ts';

export type ConnectionState = 'connecting' | 'open' | 'reconnecting';

export interface LiveOptions {
  readonly path: string;
  readonly query?: URLSearchParams;
  /** Id to go on from; undefined: from now on. */
  readonly lastEventId?: string;
  readonly onState: (state: ConnectionState) => void;
  readonly onEvent: (event: StreamEvent) => void;
  /** The server will not have it (4xx): nothing is tried again. */
  readonly onRefused: (error: ApiError) => void;
  /** The server closed the stream in good order; default: connect again. */
  readonly onEnd?: () => void;
}

const FIRST_RETRY_MS = 500;
const LAST_RETRY_MS = 15_000;
/** The server sends a heartbeat every 15 s: two missed ones mean that the line is dead, whatever TCP believes. */
const SILENCE_MS = 40_000;

/**
 * Server-sent events over `fetch`, because EventSource can neither be told where to begin (so that no entry falls
 * between a page and its stream) nor tell an ended session from a broken line. Connects again by itself, going on
 * after the last event. Returns the function that ends it.
 */
export function openLive(options: LiveOptions): () => void {
  const abort = new AbortController();
  void run(options, abort.signal);
  return () => abort.abort();
}

async function run(options: LiveOptions, ended: AbortSignal): Promise<void> {
  const position = { lastId: options.lastEventId ?? '' };
  let retryMs = FIRST_RETRY_MS;
  options.onState('connecting');
  while (!ended.aborted) {
    try {
      await connect(options, position, ended, () => (retryMs = FIRST_RETRY_MS));
      if (options.onEnd !== undefined) return options.onEnd();
    } catch (error) {
      if (ended.aborted) return;
      const status = (error instanceof ApiError ? error.problem.status : undefined) ?? 0;
      if (status >= 400 && status < 500 && status !== 408 && status !== 429)
        return options.onRefused(error as ApiError);
      if (!(error instanceof ApiError) && !isAbort(error) && !(error instanceof TypeError)) throw error;
    }
    if (ended.aborted) return;
    options.onState('reconnecting');
    // Full jitter: pages that one restart cut off do not come back in one instant.
    await pause(retryMs * (0.5 + Math.random() / 2), ended);
    retryMs = Math.min(retryMs * 2, LAST_RETRY_MS);
  }
}

async function connect(
  options: LiveOptions,
  position: { lastId: string },
  ended: AbortSignal,
  opened: () => void,
): Promise<void> {
  const attempt = new AbortController();
  const stop = (): void => attempt.abort();
  ended.addEventListener('abort', stop);
  let silence = setTimeout(stop, SILENCE_MS);
  try {
    const response = await send(apiUrl(options.path, options.query), {
      credentials: 'same-origin',
      cache: 'no-store',
      signal: attempt.signal,
      headers: {
        accept: 'text/event-stream',
        ...(position.lastId === '' ? {} : { 'last-event-id': position.lastId }),
      },
    });
    if (!response.ok || response.body === null) throw await errorOf(response);
    opened();
    options.onState('open');
    const parser = new EventStreamParser(position.lastId);
    const decoder = new TextDecoder();
    const reader = response.body.getReader();
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      clearTimeout(silence);
      silence = setTimeout(stop, SILENCE_MS);
      for (const event of parser.push(decoder.decode(value, { stream: true }))) options.onEvent(event);
      position.lastId = parser.lastId;
    }
  } finally {
    clearTimeout(silence);
    ended.removeEventListener('abort', stop);
  }
}

function pause(ms: number, ended: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    ended.addEventListener('abort', () => (clearTimeout(timer), resolve()), { once: true });
  });
}
