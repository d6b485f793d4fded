/**
 * Runs `work` with a signal that fires together with another signal, or after a time limit. AbortSignal.any()
 * with AbortSignal.timeout() is not used: Node 20 may collect that timeout as garbage while a listener waits,
 * so that it never fires.
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
