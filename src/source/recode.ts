import { bytesText } from '../pg/text.js';
import {
  NEW_ROW,
  TAG_DELETE,
  TAG_INSERT,
  TAG_LOGICAL_MESSAGE,
  TAG_ORIGIN,
  TAG_RELATION,
  TAG_UPDATE,
  VALUE_BINARY,
  VALUE_TEXT,
} from '../pgoutput/tags.js';
import type { Tuple } from '../pgoutput/tuple.js';
import type { TableDecoder } from '../pg/encoding.js';

const OPAQUE = Buffer.of(VALUE_BINARY);

/**
 * Converts a pgoutput message (protocol 1) of a source that is not UTF-8 into the message that a UTF-8 source
 * would have sent. A value that is invalid text keeps its bytes and is marked as binary. Messages of UTF-8
 * sources do not pass through here, so this function may allocate. A message that differs from the
 * documentation is returned unchanged; the reader refuses it.
 *
 * @see https://www.postgresql.org/docs/current/protocol-logicalrep-message-formats.html
 */
export function recode(message: Buffer, decoder: TableDecoder): Buffer {
  try {
    switch (message[0]) {
      case TAG_INSERT:
      case TAG_UPDATE:
      case TAG_DELETE:
        return new Recoding(message, decoder).rows();
      case TAG_RELATION:
        return new Recoding(message, decoder).relation();
      case TAG_LOGICAL_MESSAGE:
        return new Recoding(message, decoder).logicalMessage();
      case TAG_ORIGIN:
        return new Recoding(message, decoder).origin();
      default:
        return message;
    }
  } catch (error) {
    if ((error as Error).name === 'RangeError') return message;
    throw error;
  }
}

/** Converts a row that was not read from the stream in the same way. */
export function recodeTuple(tuple: Tuple, decoder: TableDecoder): Tuple {
  const { bytes, count, offsets, lengths, opaque } = tuple;
  const pieces: Buffer[] = [];
  let at = 0;
  for (let column = 0; column < count; column++) {
    const start = offsets[column]!;
    const end = start + Math.max(0, lengths[column]!);
    const text = decoder.decode(bytes, start, end);
    const piece = text ?? bytes.subarray(start, end);
    pieces.push(piece);
    opaque[column] = text === null ? 1 : 0;
    offsets[column] = at;
    at += piece.length;
    if (tuple.has(column)) lengths[column] = piece.length;
  }
  tuple.bytes = Buffer.concat(pieces);
  tuple.hasOpaque = true;
  return tuple;
}

/** Converts one message. The part before `#at` is in the pieces, unchanged or converted. */
class Recoding {
  readonly #message: Buffer;
  readonly #decoder: TableDecoder;
  readonly #pieces: Buffer[] = [];
  #at = 0;

  constructor(message: Buffer, decoder: TableDecoder) {
    this.#message = message;
    this.#decoder = decoder;
  }

  /** Converts the oid of a relation, then the kind and TupleData of each row. */
  rows(): Buffer {
    this.#keep(5);
    while (this.#at < this.#message.length) {
      const isLast = this.#message[this.#at] === NEW_ROW;
      this.#keep(1);
      this.#row();
      if (isLast) break;
    }
    return this.#rest();
  }

  relation(): Buffer {
    this.#keep(5);
    this.#name();
    this.#name();
    const columns = this.#message.readUInt16BE(this.#at + 1);
    this.#keep(3);
    for (let column = 0; column < columns; column++) {
      this.#keep(1);
      this.#name();
      this.#keep(8);
    }
    return this.#rest();
  }

  /** The content may be any bytes, but the content that Waltrail reads is text. */
  logicalMessage(): Buffer {
    this.#keep(10);
    this.#name();
    const start = this.#at + 4;
    const end = start + this.#message.readUInt32BE(this.#at);
    this.#put(this.#decoder.decodeAnyhow(this.#message, start, end));
    this.#at = end;
    return this.#rest();
  }

  origin(): Buffer {
    this.#keep(9);
    this.#name();
    return this.#rest();
  }

  #row(): void {
    const columns = this.#message.readUInt16BE(this.#at);
    this.#keep(2);
    for (let column = 0; column < columns; column++) {
      if (this.#message[this.#at] === VALUE_TEXT) this.#value();
      else this.#keep(1);
    }
  }

  #value(): void {
    const start = this.#at + 5;
    const end = start + this.#message.readUInt32BE(this.#at + 1);
    if (end > this.#message.length) throw new RangeError('a value beyond the end of its message');
    const text = this.#decoder.decode(this.#message, start, end);
    this.#pieces.push(text === null ? OPAQUE : this.#message.subarray(this.#at, this.#at + 1));
    this.#put(text ?? this.#message.subarray(start, end));
    this.#at = end;
  }

  /** Converts a name, which ends with a NUL. */
  #name(): void {
    const end = this.#message.indexOf(0, this.#at);
    if (end < 0) throw new RangeError('a name without an end');
    this.#pieces.push(
      this.#decoder.decode(this.#message, this.#at, end) ??
        Buffer.from(bytesText(this.#message.toString('hex', this.#at, end))),
    );
    this.#at = end;
    this.#keep(1);
  }

  /** Adds bytes, preceded by their length. */
  #put(bytes: Buffer): void {
    const length = Buffer.alloc(4);
    length.writeUInt32BE(bytes.length);
    this.#pieces.push(length, bytes);
  }

  #keep(bytes: number): void {
    this.#pieces.push(this.#message.subarray(this.#at, this.#at + bytes));
    this.#at += bytes;
  }

  #rest(): Buffer {
    this.#pieces.push(this.#message.subarray(this.#at));
    return Buffer.concat(this.#pieces);
  }
}
