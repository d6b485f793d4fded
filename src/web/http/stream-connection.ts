import { ApiError, apiUrl, errorOf, isAbort, send } from './client.ts';
import { EventStreamParser, type StreamEvent } from './event-stream.ts';

export type ConnectionState = 'connecting' | 'open' | 'reconnecting';

export interface StreamOptions {
  readonly path: string;
  readonly query?: URLSearchParams;
  /** Id of the event to resume after; undefined: only events from now on. */
  readonly lastEventId?: string;
  readonly onState: (state: ConnectionState) => void;
  readonly onEvent: (event: StreamEvent) => void;
  /** Called when the server refuses the stream (4xx); no further attempt follows. */
  readonly onRefused: (error: ApiError) => void;
  /** Called when the server closes the stream regularly. Without this callback the stream is opened again. */
  readonly onEnd?: () => void;
}

const FIRST_RETRY_MS = 500;
const LAST_RETRY_MS = 15_000;
/**
 * Time without any data after which a connection counts as dead. The server sends a heartbeat every 15 s: if
 * two are missing, the connection is dead even if TCP keeps it open.
 */
const SILENCE_MS = 40_000;

/**
 * Opens a stream of server-sent events, reconnects by itself, and resumes after the last event. Returns the
 * function that ends it. It uses `fetch` for two reasons: an EventSource cannot be told where to begin, so
 * entries could be lost between the list and its stream, and it cannot tell an ended session from a broken
 * connection.
 */
export function openStream(options: StreamOptions): () => void {
  const abort = new AbortController();
  void run(options, abort.signal);
  return () => abort.abort();
}

async function run(options: StreamOptions, ended: AbortSignal): Promise<void> {
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
    // Jitter: browsers that were disconnected by one restart must not all reconnect at the same instant.
    await pause(retryMs * (0.5 + Math.random() / 2), ended);
    retryMs = Math.min(retryMs * 2, LAST_RETRY_MS);
  }
}

async function connect(
  options: StreamOptions,
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
