import type { Socket } from 'node:net';
import type pg from 'pg';

/**
 * The part of pg's connection that is needed here. It has been stable since pg 8 but is not in the type
 * declarations.
 */
interface Connection {
  readonly stream: Socket;
  query(text: string): void;
}

/** A batch is returned when it has this many rows or this many bytes. */
const BATCH_ROWS = 2_000;
const BATCH_BYTES = 1 << 20;

/**
 * Runs a `copy … to stdout` in text format and yields its rows in batches, each row as the bytes of its line,
 * newline included. The server sends each row as one CopyData message. While a batch waits for the caller,
 * the socket is paused.
 *
 * If the caller stops early, the client can only be closed. Throws the error of the server or of the
 * connection.
 *
 * @see https://www.postgresql.org/docs/current/protocol-flow.html#PROTOCOL-COPY
 */
export async function* copyOut(client: pg.Client, sql: string): AsyncGenerator<readonly Buffer[]> {
  const copy = new CopyOut(sql);
  client.query(copy as unknown as pg.Submittable);
  try {
    for (;;) {
      const rows = await copy.next();
      if (rows.length === 0) return;
      yield rows;
    }
  } finally {
    copy.drop();
  }
}

class CopyOut {
  readonly #sql: string;
  #stream: Socket | undefined;
  #rows: Buffer[] = [];
  #bytes = 0;
  #over = false;
  #dropped = false;
  #error: Error | undefined;
  #wake: (() => void) | undefined;

  constructor(sql: string) {
    this.#sql = sql;
  }

  /** Returns the next batch. An empty batch is the end. */
  async next(): Promise<readonly Buffer[]> {
    while (!this.#over && !this.#full) {
      this.#stream?.resume();
      await new Promise<void>((resolve) => (this.#wake = resolve));
    }
    if (this.#error !== undefined) throw this.#error;
    this.#bytes = 0;
    return this.#rows.splice(0);
  }

  /** Discards the rows that still arrive. */
  drop(): void {
    this.#dropped = true;
    this.#rows = [];
    this.#stream?.resume();
  }

  get #full(): boolean {
    return this.#rows.length >= BATCH_ROWS || this.#bytes >= BATCH_BYTES;
  }

  #end(error?: Error): void {
    this.#over = true;
    this.#error ??= error;
    this.#wake?.();
  }

  // pg.Client calls these methods on its active query.
  submit(connection: Connection): null {
    this.#stream = connection.stream;
    connection.query(this.#sql);
    return null;
  }
  handleCopyData({ chunk }: { readonly chunk: Buffer }): void {
    if (this.#dropped) return;
    // A copy: the parser reuses the memory that the chunk lies in.
    this.#rows.push(Buffer.from(chunk));
    this.#bytes += chunk.length;
    if (!this.#full) return;
    this.#stream?.pause();
    this.#wake?.();
  }
  handleReadyForQuery(): void {
    this.#end();
  }
  handleError(error: Error): void {
    this.#end(error);
  }
  handleCommandComplete(): void {}
  handleRowDescription(): void {}
  handleDataRow(): void {}
  handlePortalSuspended(): void {}
  handleEmptyQuery(): void {}
  handleCopyInResponse(): void {}
}
