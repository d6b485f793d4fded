import type { Problem } from '../api-types.ts';
import { parseExact } from '../exact-json.ts';

/** An answer that is not the wanted one, in the API's words or, without an answer, in ours. */
export class ApiError extends Error {
  readonly problem: Problem;

  constructor(problem: Problem) {
    super(problem.detail ?? problem.title);
    this.problem = problem;
  }
}

export interface RequestOptions {
  readonly query?: URLSearchParams;
  readonly body?: unknown;
  readonly signal?: AbortSignal;
  readonly headers?: Readonly<Record<string, string>>;
}

/** URL of a route below `/v1`, relative to where the page is served. */
export function apiUrl(path: string, query?: URLSearchParams): string {
  const text = query?.toString() ?? '';
  return new URL(`v1/${path}${text === '' ? '' : `?${text}`}`, document.baseURI).href;
}

let sessionEnded: () => void = () => {};

/** Sets who is told when a request answers 401 (RFC 9110, 15.5.2): the session ended. */
export function onSessionEnded(listener: () => void): void {
  sessionEnded = listener;
}

/** One request with the session's cookie; resolves to the parsed body (undefined for none). Throws ApiError; an abort throws as fetch does. */
export async function request<T>(method: string, path: string, options: RequestOptions = {}): Promise<T> {
  const response = await send(apiUrl(path, options.query), {
    method,
    credentials: 'same-origin',
    headers: {
      accept: 'application/json',
      ...(options.body === undefined ? {} : { 'content-type': 'application/json' }),
      ...options.headers,
    },
    ...(options.body === undefined ? {} : { body: JSON.stringify(options.body) }),
    ...(options.signal === undefined ? {} : { signal: options.signal }),
  });
  if (!response.ok) throw await errorOf(response);
  const text = await response.text();
  return (text === '' ? undefined : parseExact(text)) as T;
}

/** `fetch` whose failure to reach the server is an ApiError with a remedy. */
export async function send(url: string, init: RequestInit): Promise<Response> {
  try {
    return await fetch(url, init);
  } catch (error) {
    if (init.signal?.aborted) throw error;
    throw new ApiError({
      title: 'Waltrail does not answer',
      status: 0,
      detail: 'The request did not reach the server.',
      remedy: 'Check your network. If it is up, ask whoever runs Waltrail whether the daemon runs.',
    });
  }
}

/** The problem of an answer that is not 2xx, and word of an ended session to whoever listens. */
export async function errorOf(response: Response): Promise<ApiError> {
  const text = await response.text().catch(() => '');
  if (response.status === 401) sessionEnded();
  return new ApiError(problemOf(response.status, text));
}

/** What to show for anything that was thrown. */
export function problemFrom(error: unknown): Problem {
  if (error instanceof ApiError) return error.problem;
  return {
    title: 'Something went wrong on this page',
    status: 0,
    detail: String(error),
    remedy: 'Reload the page.',
  };
}

export const isAbort = (error: unknown): boolean =>
  error instanceof DOMException && error.name === 'AbortError';

function problemOf(status: number, text: string): Problem {
  try {
    const parsed = JSON.parse(text) as Partial<Problem> | null;
    if (typeof parsed?.title === 'string') return { ...parsed, title: parsed.title, status };
  } catch {
    // Not ours: a proxy's page, say. Its status is all we know.
  }
  return {
    title: `The server answered ${status}`,
    status,
    remedy:
      status >= 500
        ? 'Try again in a moment; if it stays, look into the log of Waltrail.'
        : 'Reload the page.',
  };
}
