import { ApiError, errorOf, isAbort, send } from '../http/client.ts';
import { EventStreamParser, type StreamEvent } from './event-stream.ts';
import type { ConnectionState } from './messages.ts';

export interface StreamOptions {
  readonly url: string;
  /** Returns the body of the next attempt, with the positions from which it resumes. */
  readonly body: () => unknown;
  readonly onState: (state: ConnectionState) => void;
  readonly onEvent: (event: StreamEvent) => void;
  /** Called when the server refuses the stream (4xx). No further attempt follows. */
  readonly onRefused: (error: ApiError) => void;
}

export interface StreamConnection {
  /** Ends a pause before the next attempt. */
  hurry(): void;
  end(): void;
}

const FIRST_RETRY_MS = 500;
const LAST_RETRY_MS = 15_000;
/**
 * Time without data after which a connection counts as lost. The server sends a heartbeat every 15 s. If two
 * are missing, the connection is lost even if TCP keeps it open.
 */
const SILENCE_MS = 40_000;

/**
 * Opens a stream of server-sent events and reconnects automatically. It uses `fetch` instead of EventSource,
 * for two reasons. An EventSource cannot be told where to begin, so entries between the list and its stream
 * could be lost. And it cannot distinguish an ended session from a broken connection.
 */
export function openStream(options: StreamOptions): StreamConnection {
  const ended = new AbortController();
  let endPause: () => void = () => {};
  const pause = (ms: number): Promise<void> =>
    new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      endPause = () => (clearTimeout(timer), resolve());
    });
  void run(options, { ended: ended.signal, pause });
  return {
    hurry: () => endPause(),
    end: () => {
      ended.abort();
      endPause();
    },
  };
}

async function run(
  options: StreamOptions,
  { ended, pause }: { readonly ended: AbortSignal; readonly pause: (ms: number) => Promise<void> },
): Promise<void> {
  let retryMs = FIRST_RETRY_MS;
  options.onState('connecting');
  while (!ended.aborted) {
    try {
      await connect(options, ended, () => (retryMs = FIRST_RETRY_MS));
    } catch (error) {
      if (ended.aborted) return;
      const status = (error instanceof ApiError ? error.problem.status : undefined) ?? 0;
      if (status >= 400 && status < 500 && status !== 408 && status !== 429)
        return options.onRefused(error as ApiError);
      if (!(error instanceof ApiError) && !isAbort(error) && !(error instanceof TypeError)) throw error;
    }
    if (ended.aborted) return;
    options.onState('reconnecting');
    // Jitter: after a restart of the server, browsers must not all reconnect at the same instant.
    await pause(retryMs * (0.5 + Math.random() / 2));
    retryMs = Math.min(retryMs * 2, LAST_RETRY_MS);
  }
}

async function connect(options: StreamOptions, ended: AbortSignal, opened: () => void): Promise<void> {
  const attempt = new AbortController();
  const stop = (): void => attempt.abort();
  ended.addEventListener('abort', stop);
  let silence = setTimeout(stop, SILENCE_MS);
  try {
    const response = await send(options.url, {
      method: 'POST',
      credentials: 'same-origin',
      cache: 'no-store',
      signal: attempt.signal,
      headers: { accept: 'text/event-stream', 'content-type': 'application/json' },
      body: JSON.stringify(options.body()),
    });
    if (!response.ok || response.body === null) throw await errorOf(response);
    opened();
    options.onState('open');
    const parser = new EventStreamParser();
    const decoder = new TextDecoder();
    const reader = response.body.getReader();
    for (;;) {
      const { done, value } = await reader.read();
      if (done || ended.aborted) return;
      clearTimeout(silence);
      silence = setTimeout(stop, SILENCE_MS);
      for (const event of parser.push(decoder.decode(value, { stream: true }))) options.onEvent(event);
    }
  } finally {
    clearTimeout(silence);
    ended.removeEventListener('abort', stop);
  }
}
