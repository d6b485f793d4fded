import pg from 'pg';

type Ask = (...query: unknown[]) => unknown;

/**
 * A client that frees the rows of a statement early. When `pg` creates the promise of a statement, the rows
 * stay in memory until the next full garbage collection, because each young collection moves them to the old
 * space. With a callback they are freed. This client therefore always passes a callback (DECISIONS 103).
 */
export class Client extends pg.Client {
  /** Takes and returns the same as `pg.Client`. This type is compatible with all of its overloads. */
  override query(...query: never[]): never {
    const ask: Ask = (...asked) => (super.query as Ask).apply(this, asked);
    if (hasCallback(query)) return ask(...query) as never;
    return new Promise((resolve, reject) => {
      const [text, values] = query;
      ask(text, values, (error: Error | null | undefined, result: unknown) => {
        if (error === null || error === undefined) resolve(result);
        else reject(error);
      });
    }).catch((error: Error) => {
      // As pg does: the stack shows where the statement was sent, not where the socket was read.
      Error.captureStackTrace(error);
      throw error;
    }) as never;
  }
}

/** Whether the result goes to a callback or to an object with `submit`, as for a COPY. */
const hasCallback = ([query, ...rest]: readonly unknown[]): boolean =>
  typeof (query as { readonly submit?: unknown } | null | undefined)?.submit === 'function' ||
  rest.some((given) => typeof given === 'function');
