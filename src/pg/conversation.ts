import type { Writable } from 'node:stream';
import type pg from 'pg';

/**
 * The part of pg's connection that is needed here. It has been stable since pg 8 but is not in the type
 * declarations.
 */
interface Connection {
  readonly stream: Writable;
  query(text: string): void;
  endCopyFrom(): void;
}

interface Answer {
  resolve(): void;
  reject(error: unknown): void;
}

/**
 * Raises an error if no transaction block is open, also within the implicit transaction of several statements
 * (`RequireTransactionBlock` and `DefineSavepoint` in PostgreSQL). Has no effect otherwise.
 */
const ONLY_IN_TRANSACTION = 'savepoint within; release savepoint within';

/**
 * Sends statements to a server without waiting for the answers, which arrive in the same order. After an
 * error, all outstanding statements fail with that error, and the client can only be closed. The server still
 * executes statements that were sent after the failed one. Statements that belong together are therefore sent
 * {@link within} a transaction.
 *
 * From its first statement on, the conversation owns the client. pg drops the active query after each
 * complete answer. While more answers are due, the conversation registers itself as the active query again
 * (pg's own pipeline mode does not support COPY).
 *
 * @see https://www.postgresql.org/docs/current/protocol-flow.html#PROTOCOL-COPY
 */
export class Conversation {
  readonly #client: pg.Client;
  readonly #connection: Connection;
  readonly #failed: (error: unknown) => void;
  readonly #due: Answer[] = [];
  /** A `begin` was sent, and no `commit` after it. */
  #begun = false;

  /**
   * @param failed called immediately with the first error, because errors that pg reports for later
   *   statements may arrive before the promises settle
   */
  constructor(client: pg.Client, failed: (error: unknown) => void = () => undefined) {
    this.#client = client;
    this.#failed = failed;
    this.#connection = (client as unknown as { readonly connection: Connection }).connection;
  }

  /**
   * Sends one or several statements. After an error, the rest of them is not executed. If the last is `copy …
   * from stdin`, its data may follow at once: if the COPY does not start, the server discards the data. The
   * answer arrives when all data was accepted.
   */
  say(sql: string): Promise<void> {
    this.#connection.query(sql);
    return this.#answer();
  }

  /**
   * Sends statements in the open transaction, or in a new one. A `begin` can fail too, for example when it is
   * cancelled. Statements sent after it would then run and commit on their own. Therefore each later
   * statement raises an error if no transaction is open.
   */
  within(sql: string): Promise<void> {
    const begin = this.#begun ? ONLY_IN_TRANSACTION : 'begin';
    this.#begun = true;
    return this.say(`${begin}; ${sql}`);
  }

  /** Sends `statements` {@link within} the transaction and commits it. */
  commit(statements: readonly string[] = []): Promise<void> {
    const answer = this.within([...statements, 'commit'].join('; '));
    this.#begun = false;
    return answer;
  }

  /** Writes a complete CopyData frame unchanged. `sent` is called when the socket has taken the bytes. */
  copyData(frame: Buffer, sent?: () => void): void {
    this.#connection.stream.write(frame, sent);
  }

  endCopy(): void {
    this.#connection.endCopyFrom();
  }

  #answer(): Promise<void> {
    const answer = new Promise<void>((resolve, reject) => {
      this.#due.push({ resolve, reject });
    });
    if (this.#due.length === 1) this.#listen();
    return answer;
  }

  #listen(): void {
    this.#client.query(this as unknown as pg.Submittable);
  }

  // pg.Client calls these methods on its active query.
  submit(): null {
    return null;
  }
  handleReadyForQuery(): void {
    this.#due.shift()?.resolve();
    if (this.#due.length > 0) this.#listen();
  }
  handleError(error: unknown): void {
    this.#failed(error);
    for (const answer of this.#due.splice(0)) answer.reject(error);
  }
  handleCopyInResponse(): void {}
  handleCommandComplete(): void {}
  handleRowDescription(): void {}
  handleDataRow(): void {}
  handlePortalSuspended(): void {}
  handleEmptyQuery(): void {}
  handleCopyData(): void {}
}
