import type { Problem } from '../api-types.ts';
import { parseExact } from '../exact-json.ts';
import { requestAnswered, requestFailed } from './recovery.ts';

/**
 * A request that failed. The problem comes from the API or, if the API did not answer, from the page.
 */
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

/** Builds the URL of a route below `/v1`, relative to the URL of the page. */
export function apiUrl(path: string, query?: URLSearchParams): string {
  const text = query?.toString() ?? '';
  return new URL(`v1/${path}${text === '' ? '' : `?${text}`}`, document.baseURI).href;
}

let sessionEnded: () => void = () => {};

/** Sets the listener for a request that answers 401 (RFC 9110, 15.5.2): the session has ended. */
export function onSessionEnded(listener: () => void): void {
  sessionEnded = listener;
}

/** Informs the listener that the session has ended. */
export function sessionHasEnded(): void {
  sessionEnded();
}

/**
 * Sends one request with the session's cookie. Resolves to the parsed body, or to undefined if there is none.
 * Throws ApiError. If the request is aborted, throws what `fetch` throws.
 */
export async function request<T>(method: string, path: string, options: RequestOptions = {}): Promise<T> {
  try {
    const text = await textOf(method, path, options);
    requestAnswered();
    return (text === '' ? undefined : parseExact(text)) as T;
  } catch (error) {
    if (error instanceof ApiError) requestFailed(error.problem.status);
    throw error;
  }
}

async function textOf(method: string, path: string, options: RequestOptions): Promise<string> {
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
  try {
    return await response.text();
  } catch (error) {
    if (options.signal?.aborted) throw error;
    throw unanswered();
  }
}

/** Calls `fetch`. If the server cannot be reached, throws an ApiError with a remedy. */
export async function send(url: string, init: RequestInit): Promise<Response> {
  try {
    return await fetch(url, init);
  } catch (error) {
    if (init.signal?.aborted) throw error;
    throw unanswered();
  }
}

const unanswered = (): ApiError =>
  new ApiError({
    title: 'Waltrail does not answer',
    status: 0,
    detail: 'The request did not reach the server, or the answer was lost.',
    remedy: 'Check your network. If it works, ask the operator of Waltrail whether the daemon runs.',
  });

/**
 * Reads the problem of an answer that is not 2xx. With a 401, the listener learns that the session has ended.
 */
export async function errorOf(response: Response): Promise<ApiError> {
  const text = await response.text().catch(() => '');
  if (response.status === 401) sessionEnded();
  return new ApiError(problemOf(response.status, text));
}

/** Converts anything that was thrown to a problem to show. */
export function problemFrom(error: unknown): Problem {
  if (error instanceof ApiError) return error.problem;
  return {
    title: 'This page has an error',
    status: 0,
    detail: String(error),
    remedy: 'Reload the page.',
  };
}

/** Whether an error is the abort of a request. */
export const isAbort = (error: unknown): boolean =>
  error instanceof DOMException && error.name === 'AbortError';

function problemOf(status: number, text: string): Problem {
  try {
    const parsed = JSON.parse(text) as Partial<Problem> | null;
    if (typeof parsed?.title === 'string') return { ...parsed, title: parsed.title, status };
  } catch {
    // The answer does not come from the API but, for example, from a proxy. Only its status is known.
  }
  return {
    title: `The server answered ${status}`,
    status,
    remedy:
      status >= 500
        ? 'Try again in a moment. If the error persists, read the log of Waltrail.'
        : 'Reload the page.',
  };
}
