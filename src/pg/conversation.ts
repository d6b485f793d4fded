import type { Writable } from 'node:stream';
import type pg from 'pg';

/**
 * The part of pg's connection that is needed here; stable since pg 8, though not in its type declarations.
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
 * An error where no transaction was begun, also in the implicit one of several statements (PostgreSQL,
 * `RequireTransactionBlock` and `DefineSavepoint`). Without effect otherwise.
 */
const ONLY_IN_TRANSACTION = 'savepoint within; release savepoint within';

/**
 * Statements to a server without waiting for its answers, which come in the same order. After an error
 * nothing more is answered: everything outstanding fails with it, and the client can only be closed. What was
 * sent behind a statement that fails is still executed by the server: what belongs together is said {@link
 * within} a transaction.
 *
 * The client belongs to the conversation from its first statement on. Each whole answer takes it out of pg's
 * hands, so as long as others are due it enters itself again as the query under way (pg's own pipeline mode
 * knows no COPY).
 *
 * @see https://www.postgresql.org/docs/current/protocol-flow.html#PROTOCOL-COPY
 */
export class Conversation {
  readonly #client: pg.Client;
  readonly #connection: Connection;
  readonly #failed: (error: unknown) => void;
  readonly #due: Answer[] = [];
  /** A `begin` was sent, and no `commit` behind it. */
  #begun = false;

  /**
   * @param failed called with the first error at once: what pg says of those behind it may come before
   * promises settle
   */
  constructor(client: pg.Client, failed: (error: unknown) => void = () => undefined) {
    this.#client = client;
    this.#failed = failed;
    this.#connection = (client as unknown as { readonly connection: Connection }).connection;
  }

  /**
   * One or several statements; after an error the rest of them is not executed. Where the last is `copy …
   * from stdin`, its data may follow at once (if it comes to no COPY, the server drops it), and the answer
   * comes when all of it was taken.
   */
  say(sql: string): Promise<void> {
    this.#connection.query(sql);
    return this.#answer();
  }

  /**
   * Says it in a transaction: the one that was begun, or a new one. A `begin` can fail as well, most simply
   * when it is cancelled; what was sent behind it would then be executed, and committed, by itself. So
   * everything behind it is an error without it.
   */
  within(sql: string): Promise<void> {
    const begin = this.#begun ? ONLY_IN_TRANSACTION : 'begin';
    this.#begun = true;
    return this.say(`${begin}; ${sql}`);
  }

  /** Says `statements` {@link within} the transaction and commits it. */
  commit(statements: readonly string[] = []): Promise<void> {
    const answer = this.within([...statements, 'commit'].join('; '));
    this.#begun = false;
    return answer;
  }

  /** A whole CopyData frame, written as it is. `sent` is called when the bytes are out of our hands. */
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

  // What pg.Client calls on the query under way.
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
