import type { Socket } from 'node:net';
import type pg from 'pg';

/** The part of pg's connection that is needed here; see copy-out.ts. */
interface Connection {
  readonly stream: Socket;
  query(text: string): void;
}

/** The header: signature, flags and the length of the extension. That length is read from the message. */
const SIGNATURE_BYTES = 11;
const EXTENSION_LENGTH_AT = SIGNATURE_BYTES + 4;
const HEADER_BYTES = EXTENSION_LENGTH_AT + 4;
/** Marks the end of the data, in place of the number of fields of a row. */
const TRAILER = -1;
const INT4_BYTES = 4;
/** Marks a null, in place of the length of a field. */
const NULL_LENGTH = -1;
/**
 * The binary form of an array begins with dimensions, flags and element type. Then follow length and lower
 * bound of its one dimension.
 */
const EMPTY_ARRAY_BYTES = 12;
const ARRAY_LENGTH_AT = 12;
const ARRAY_HEAD_BYTES = 20;

/**
 * Runs a `copy … to stdout (format binary)` and calls `row` for each row. It passes the message that holds
 * the row and the place of its number of fields. The row lies in the driver's memory and is not copied, so
 * `row` must not keep the message.
 *
 * Rejects with an error of the server, of the connection, or of `row`. In the last case the statement is
 * still read to its end.
 *
 * @see https://www.postgresql.org/docs/current/sql-copy.html (Binary Format)
 */
export async function copyBinary(
  client: pg.ClientBase,
  sql: string,
  row: (message: Buffer, at: number) => void,
): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    const end = (error?: Error): void => (error === undefined ? resolve() : reject(error));
    client.query(new CopyBinary(sql, { row, end }) as unknown as pg.Submittable);
  });
}

class CopyBinary {
  readonly #sql: string;
  readonly #row: (message: Buffer, at: number) => void;
  readonly #end: (error?: Error) => void;
  #begun = false;
  #error: Error | undefined;

  constructor(
    sql: string,
    to: {
      readonly row: (message: Buffer, at: number) => void;
      readonly end: (error?: Error) => void;
    },
  ) {
    this.#sql = sql;
    this.#row = to.row;
    this.#end = to.end;
  }

  // pg.Client calls these methods on its active query.
  submit(connection: Connection): null {
    connection.query(this.#sql);
    return null;
  }
  handleCopyData({ chunk }: { readonly chunk: Buffer }): void {
    if (this.#error !== undefined) return;
    let at = 0;
    if (!this.#begun) {
      this.#begun = true;
      at = HEADER_BYTES + chunk.readInt32BE(EXTENSION_LENGTH_AT);
    }
    // The server sends each row as one message, the first together with the header.
    if (at === chunk.length || chunk.readInt16BE(at) === TRAILER) return;
    try {
      this.#row(chunk, at);
    } catch (error) {
      this.#error = error as Error;
    }
  }
  handleReadyForQuery(): void {
    this.#end(this.#error);
  }
  handleError(error: Error): void {
    this.#error ??= error;
    this.#end(this.#error);
  }
  handleCommandComplete(): void {}
  handleRowDescription(): void {}
  handleDataRow(): void {}
  handlePortalSuspended(): void {}
  handleEmptyQuery(): void {}
  handleCopyInResponse(): void {}
}

/** Reads the fields of a row one after the other. The caller knows their types. */
export class RowFields {
  readonly #message: Buffer;
  #at: number;

  constructor(message: Buffer, at: number) {
    this.#message = message;
    this.#at = at + 2;
  }

  char(): string {
    return String.fromCharCode(this.#message[this.#skip()]!);
  }

  int2(): number {
    return this.#message.readInt16BE(this.#skip());
  }

  int4(): number {
    return this.#message.readInt32BE(this.#skip());
  }

  int8(): bigint {
    return this.#message.readBigInt64BE(this.#skip());
  }

  text(): string {
    const start = this.#skip();
    return this.#message.toString('utf8', start, this.#at);
  }

  textOrNull(): string | null {
    const isNull = this.#message.readInt32BE(this.#at) === NULL_LENGTH;
    const text = this.text();
    return isNull ? null : text;
  }

  /** A bytea, valid only as long as the message. */
  bytes(): Buffer {
    const start = this.#skip();
    return this.#message.subarray(start, this.#at);
  }

  int4Array(): Int32Array {
    const start = this.#skip();
    const length =
      this.#at - start === EMPTY_ARRAY_BYTES ? 0 : this.#message.readInt32BE(start + ARRAY_LENGTH_AT);
    const values = new Int32Array(length);
    for (let index = 0, at = start + ARRAY_HEAD_BYTES; index < length; index++, at += 2 * INT4_BYTES)
      values[index] = this.#message.readInt32BE(at + INT4_BYTES);
    return values;
  }

  /** Moves to the next field and returns where this one begins. */
  #skip(): number {
    const length = this.#message.readInt32BE(this.#at);
    const start = this.#at + 4;
    this.#at = start + Math.max(0, length);
    return start;
  }
}
