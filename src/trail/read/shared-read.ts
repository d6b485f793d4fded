/**
 * Returns a read that concurrent callers share. A running read may have begun before a later caller's
 * request, so that caller gets the result of the next read. At most one read runs and one waits, whatever the
 * number of callers.
 */
export function sharedRead<T>(read: () => Promise<T>): () => Promise<T> {
  let running: Promise<T> | undefined;
  let next: Promise<T> | undefined;
  const begin = (): Promise<T> => {
    next = undefined;
    const begun: Promise<T> = read().finally(() => {
      if (running === begun) running = undefined;
    });
    running = begun;
    return begun;
  };
  return () => {
    if (running === undefined) return begin();
    return (next ??= running.then(begin, begin));
  };
}
