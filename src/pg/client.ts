import pg from 'pg';

type Ask = (...query: unknown[]) => unknown;

/**
 * A client that lets go of what a statement answered. Where `pg` makes the promise of a statement, the rows
 * outlive their use until the next full collection: each young one moves all of them to the old space,
 * whether anybody needs them or not. With a callback they are freed, so this client always gives one
 * (DECISIONS 103).
 */
export class Client extends pg.Client {
  /** Takes and gives what `pg.Client` does, as which it is used: this type fits all of its overloads. */
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
      // As pg does: of the place that asked, and not of the socket's.
      Error.captureStackTrace(error);
      throw error;
    }) as never;
  }
}

/** Whether it is answered to a function or to an object of its own, as a COPY is. */
const hasCallback = ([query, ...rest]: readonly unknown[]): boolean =>
  typeof (query as { readonly submit?: unknown } | null | undefined)?.submit === 'function' ||
  rest.some((given) => typeof given === 'function');
