import type { Writable } from 'node:stream';
import type pg from 'pg';

/** The part of pg's connection that a COPY needs; stable since pg 8, though not in its type declarations. */
interface Connection {
  readonly stream: Writable;
  query(text: string): void;
  endCopyFrom(): void;
}

/**
 * A statement that ends in `copy … from stdin`, fed with whole CopyData frames. The frames are written as they are,
 * without a copy and without waiting for the server's go-ahead: if the statement fails, the server drops them.
 *
 * @see https://www.postgresql.org/docs/current/protocol-flow.html#PROTOCOL-COPY
 */
export class CopyIn {
  readonly #sql: string;
  readonly #finished: Promise<void>;
  #settle: { resolve(): void; reject(error: unknown): void } = {
    resolve: () => undefined,
    reject: () => undefined,
  };
  #connection: Connection | undefined;

  constructor(sql: string) {
    this.#sql = sql;
    this.#finished = new Promise((resolve, reject) => {
      this.#settle = { resolve, reject };
    });
    // A failure is also reported by `done`; without this one that comes earlier would be unhandled.
    this.#finished.catch(() => undefined);
  }

  /** Starts the statement on a client with nothing under way. */
  static start(client: pg.Client, sql: string): CopyIn {
    const copy = new CopyIn(sql);
    client.query(copy as unknown as pg.Submittable);
    return copy;
  }

  /** One frame: `d`, length, data. `sent` is called when the bytes are out of our hands. */
  write(frame: Buffer, sent?: () => void): void {
    this.#connection?.stream.write(frame, sent);
  }

  /** Ends the data. Resolves when the server has taken all of it; rejects with its error. */
  done(): Promise<void> {
    this.#connection?.endCopyFrom();
    return this.#finished;
  }

  /** Resolves or rejects when the statement is over, also when the server ends it early. */
  get finished(): Promise<void> {
    return this.#finished;
  }

  // What pg.Client calls on a query.
  submit(connection: unknown): null {
    this.#connection = connection as Connection;
    this.#connection.query(this.#sql);
    return null;
  }
  handleError(error: unknown): void {
    // Now, not at ReadyForQuery: pg forgets a query that failed and does not tell it about that any more.
    this.#settle.reject(error);
  }
  handleReadyForQuery(): void {
    this.#settle.resolve();
  }
  handleCopyInResponse(): void {}
  handleCommandComplete(): void {}
  handleRowDescription(): void {}
  handleDataRow(): void {}
  handlePortalSuspended(): void {}
  handleEmptyQuery(): void {}
  handleCopyData(): void {}
}
