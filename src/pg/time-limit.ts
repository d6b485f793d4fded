/**
 * Runs work with a signal that fires with another one, or after a time. Not made by AbortSignal.any() of an
 * AbortSignal.timeout(): Node 20 collects that timeout as garbage while somebody listens, and then it never
 * fires.
 */
export async function withTimeLimit<T>(
  { signal, limitMs }: { readonly signal: AbortSignal; readonly limitMs: number },
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const limit = new AbortController();
  const abort = (): void => limit.abort(signal.reason);
  const timer = setTimeout(() => {
    limit.abort(new DOMException('The time limit is over.', 'TimeoutError'));
  }, limitMs);
  if (signal.aborted) abort();
  else signal.addEventListener('abort', abort, { once: true });
  try {
    return await work(limit.signal);
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', abort);
  }
}
