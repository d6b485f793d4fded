import { COPY_DATA } from '../../pg/message-types.js';

/**
 * The binary COPY format in CopyData frames.
 *
 * @see https://www.postgresql.org/docs/current/sql-copy.html (Binary Format)
 */

/** Bytes at the start of a buffer that are reserved for the header of its CopyData frame. */
export const FRAME_HEADER_BYTES = 5;

/** Turns a buffer into a CopyData frame. The buffer's first bytes must be free for the frame's header. */
export function frame(buffer: Buffer): Buffer {
  buffer[0] = COPY_DATA;
  buffer.writeInt32BE(buffer.length - 1, 1);
  return buffer;
}

export const COPY_HEADER = frame(
  Buffer.concat([
    Buffer.alloc(FRAME_HEADER_BYTES),
    Buffer.from('PGCOPY\n\xff\r\n\0', 'latin1'),
    Buffer.alloc(8),
  ]),
);
export const COPY_TRAILER = frame(
  Buffer.concat([Buffer.alloc(FRAME_HEADER_BYTES), Buffer.from([0xff, 0xff])]),
);

/** OID of int4, which is part of the binary format of an array. */
const INT4 = 23;

/** Builds rows of a table in a buffer. A full buffer is replaced by a larger one. */
export class CopyRows {
  #bytes: Buffer;
  #at = FRAME_HEADER_BYTES;

  constructor(buffer: Buffer) {
    this.#bytes = buffer;
  }

  beginRow(fields: number): void {
    this.#reserve(2);
    this.#at = this.#bytes.writeInt16BE(fields, this.#at);
  }

  char(value: string): void {
    this.#field(1);
    this.#at = this.#bytes.writeUInt8(value.charCodeAt(0), this.#at);
  }

  int2(value: number): void {
    this.#field(2);
    this.#at = this.#bytes.writeInt16BE(value, this.#at);
  }

  int4(value: number): void {
    this.#field(4);
    this.#at = this.#bytes.writeInt32BE(value, this.#at);
  }

  /** Writes an int8, or a value with the same binary format. */
  int8(value: bigint): void {
    this.#field(8);
    this.#at = this.#bytes.writeBigInt64BE(value, this.#at);
  }

  int4Array(values: Int32Array): void {
    this.#field(20 + 8 * values.length);
    for (const head of [1, 0, INT4, values.length, 1]) this.#at = this.#bytes.writeInt32BE(head, this.#at);
    for (const value of values) {
      this.#at = this.#bytes.writeInt32BE(4, this.#at);
      this.#at = this.#bytes.writeInt32BE(value, this.#at);
    }
  }

  /** Begins a bytea. Returns the offset that {@link endBytes} needs. */
  beginBytes(): number {
    this.#field(0);
    return this.#at;
  }

  /**
   * Reserves `length` bytes of a bytea. The caller must fill them in, at the returned offset, before anything
   * else is written.
   */
  bytes(length: number): { readonly buffer: Buffer; readonly at: number } {
    this.#reserve(length);
    const at = this.#at;
    this.#at += length;
    return { buffer: this.#bytes, at };
  }

  endBytes(start: number): void {
    this.#bytes.writeInt32BE(this.#at - start, start - 4);
  }

  /** Returns all rows as one CopyData frame. */
  take(): Buffer {
    return frame(this.#bytes.subarray(0, this.#at));
  }

  #field(length: number): void {
    this.#reserve(4 + length);
    this.#at = this.#bytes.writeInt32BE(length, this.#at);
  }

  #reserve(bytes: number): void {
    if (this.#bytes.length - this.#at >= bytes) return;
    const grown = Buffer.allocUnsafeSlow(Math.max(2 * this.#bytes.length, this.#at + bytes));
    this.#bytes.copy(grown, 0, 0, this.#at);
    this.#bytes = grown;
  }
}
