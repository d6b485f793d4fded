import type { MessageHandler, OldRow, RelationColumn } from '../../src/pgoutput/reader.js';
import type { TransactionMessage } from '../../src/pgoutput/transactions.js';
import { LENGTH_NULL, LENGTH_UNCHANGED, Tuple } from '../../src/pgoutput/tuple.js';

/** PostgreSQL's MaxTupleAttributeNumber. */
const MAX_COLUMNS = 1664;

/**
 * Reads pgoutput field by field as its documentation describes it. `MessageReader` is compared with it. If
 * the documentation does not cover a case, this reader is strict: a message ends where its last field does.
 *
 * Integers that stand for an oid or an xid are signed here, as MessageReader returns them; a type's oid is
 * not.
 *
 * @see https://www.postgresql.org/docs/current/protocol-logicalrep-message-formats.html
 */
export class ReferenceReader {
  readonly #handler: MessageHandler;
  #streaming = false;

  constructor(handler: MessageHandler) {
    this.#handler = handler;
  }

  /**
   * Reads one whole message in `bytes[start, end)`. Throws an Error for anything that differs from the
   * documentation.
   */
  read(bytes: Buffer, start: number, end: number): void {
    const message = new Fields(bytes.subarray(start, end));
    const tag = message.letter();
    if (this.#streaming) this.#readStreamed(tag, message);
    else if ('IUDTRYM'.includes(tag)) this.#readChange(tag, message);
    else if (tag === 'O') this.#readOrigin(message);
    else if (tag === 'B') this.#readBegin(message, bytes, start + 1);
    else if (tag === 'C') this.#readCommit(message, bytes, start + 2);
    else this.#readTransaction(tag, message);
  }

  /**
   * Reads "Int32 (TransactionId): Xid of the transaction (only present for streamed transactions)". Origin
   * and Stream Stop do not have it.
   */
  #readStreamed(tag: string, message: Fields): void {
    if (tag === 'O') return this.#readOrigin(message);
    if (tag === 'E') return this.#readTransaction(tag, message);
    if (!'IUDTRYM'.includes(tag)) throw new Error(`${tag} in a stream`);
    this.#handler.streamed(message.int32());
    this.#readChange(tag, message);
  }

  #readBegin(message: Fields, bytes: Buffer, at: number): void {
    message.int64(); // the final LSN of the transaction
    message.int64(); // commit timestamp
    message.int32(); // xid
    message.end();
    this.#handler.begin(bytes, at);
  }

  #readCommit(message: Fields, bytes: Buffer, at: number): void {
    message.int8(); // flags; currently unused
    message.int64(); // the LSN of the commit
    message.int64(); // the end LSN of the transaction
    message.int64(); // commit timestamp
    message.end();
    this.#handler.commit(bytes, at);
  }

  #readOrigin(message: Fields): void {
    const lsn = message.lsn(); // the LSN of the commit on the origin server
    const name = message.text();
    message.end();
    this.#handler.origin({ lsn, name });
  }

  #readChange(tag: string, message: Fields): void {
    const handler = this.#handler;
    switch (tag) {
      case 'R': {
        const oid = message.int32();
        const schema = message.text() || 'pg_catalog'; // "empty string for pg_catalog"
        const table = message.text();
        const replicaIdentity = message.letter();
        const columns = Array.from({ length: message.int16() }, () => readColumn(message));
        message.end();
        return handler.relation({ oid, schema, table, replicaIdentity, columns });
      }
      case 'Y':
        message.int32(); // oid of the data type
        message.text(); // namespace
        message.text(); // name
        return message.end();
      case 'I': {
        const oid = message.int32();
        message.expect('N');
        const updated = readTuple(message);
        message.end();
        return handler.insert(oid, updated);
      }
      case 'U': {
        const oid = message.int32();
        const kind = message.letter();
        const oldRow: OldRow = kind === 'N' ? 'none' : oldRowOf(kind);
        const previous = oldRow === 'none' ? new Tuple() : readTuple(message);
        if (oldRow !== 'none') message.expect('N');
        const updated = readTuple(message);
        message.end();
        return handler.update(oid, { previous, oldRow, updated });
      }
      case 'D': {
        const oid = message.int32();
        const oldRow = oldRowOf(message.letter());
        const previous = readTuple(message);
        message.end();
        return handler.delete(oid, { previous, oldRow });
      }
      case 'T': {
        const count = message.int32();
        message.int8(); // 1 for CASCADE, 2 for RESTART IDENTITY
        if (count < 0) throw new Error('a negative number of relations');
        const oids: number[] = [];
        for (let relation = 0; relation < count; relation++) oids.push(message.int32());
        message.end();
        return handler.truncate(oids);
      }
      case 'M': {
        const transactional = (message.int8() & 1) === 1;
        const lsn = message.lsn();
        const prefix = message.text();
        const content = message.bytes(message.int32());
        message.end();
        return handler.logicalMessage({ transactional, lsn, prefix, content });
      }
      default:
        throw new Error(`unknown message ${tag}`);
    }
  }

  #readTransaction(tag: string, message: Fields): void {
    const read = readTransaction(tag, message);
    message.end();
    this.#streaming = read.kind === 'stream start';
    this.#handler.transaction(read);
  }
}

/** Reads messages of protocol 2 (S, E, c, A), 3 (b, P, K, r, p) and, in a Stream Abort, 4. */
function readTransaction(tag: string, message: Fields): TransactionMessage {
  switch (tag) {
    case 'S':
      return { kind: 'stream start', xid: message.int32(), first: message.int8() === 1 };
    case 'E':
      return { kind: 'stream stop' };
    case 'c': {
      const xid = message.int32();
      message.int8(); // flags; currently unused
      return { kind: 'stream commit', xid, ...readCommitted(message) };
    }
    case 'A': {
      const xid = message.int32();
      const subXid = message.int32();
      const aborted = message.left === 0 ? null : { lsn: message.lsn(), at: message.int64() };
      return { kind: 'stream abort', xid, subXid, aborted };
    }
    case 'b':
      return { kind: 'begin prepare', ...readPrepared(message) };
    case 'P':
      message.int8(); // flags; currently unused
      return { kind: 'prepare', ...readPrepared(message) };
    case 'p':
      message.int8(); // flags; currently unused
      return { kind: 'stream prepare', ...readPrepared(message) };
    case 'K': {
      message.int8(); // flags; currently unused
      const committed = readCommitted(message);
      return { kind: 'commit prepared', ...committed, xid: message.int32(), gid: message.text() };
    }
    case 'r':
      message.int8(); // flags; currently unused
      return {
        kind: 'rollback prepared',
        prepareEndLsn: message.lsn(),
        endLsn: message.lsn(),
        preparedAt: message.int64(),
        rolledBackAt: message.int64(),
        xid: message.int32(),
        gid: message.text(),
      };
    default:
      throw new Error(`unknown message ${tag}`);
  }
}

const readCommitted = (message: Fields) => ({
  commitLsn: message.lsn(),
  endLsn: message.lsn(),
  committedAt: message.int64(),
});

const readPrepared = (message: Fields) => ({
  prepareLsn: message.lsn(),
  endLsn: message.lsn(),
  preparedAt: message.int64(),
  xid: message.int32(),
  gid: message.text(),
});

function readColumn(message: Fields): RelationColumn {
  const isKey = (message.int8() & 1) === 1; // flags: 1 marks the column as part of the key
  return { isKey, name: message.text(), typeOid: message.int32() >>> 0, typeModifier: message.int32() };
}

/** 'K' "identifies the following TupleData submessage as a key", 'O' as an old tuple. */
function oldRowOf(kind: string): OldRow {
  if (kind === 'K') return 'key';
  if (kind === 'O') return 'full';
  throw new Error(`old row of kind ${kind}`);
}

/**
 * Reads a TupleData. Waltrail does not request binary values ('b') from the server: source/recode.ts uses 'b'
 * to mark what is not text.
 */
function readTuple(message: Fields): Tuple {
  const tuple = new Tuple();
  tuple.count = message.int16();
  if (tuple.count > MAX_COLUMNS) throw new Error('more columns than a table can have');
  tuple.bytes = message.all;
  for (let column = 0; column < tuple.count; column++) {
    const kind = message.letter();
    if (kind === 'n') tuple.lengths[column] = LENGTH_NULL;
    else if (kind === 'u') tuple.lengths[column] = LENGTH_UNCHANGED;
    else if (kind === 't' || kind === 'b') {
      if (kind === 'b') {
        tuple.hasOpaque = true;
        tuple.opaque[column] = 1;
      }
      tuple.lengths[column] = message.int32();
      tuple.offsets[column] = message.at;
      message.bytes(tuple.lengths[column]!);
    } else throw new Error(`column of kind ${kind}`);
  }
  return tuple;
}

/** Reads the documentation's message data types one after the other. */
class Fields {
  readonly all: Buffer;
  at = 0;

  constructor(all: Buffer) {
    this.all = all;
  }

  get left(): number {
    return this.all.length - this.at;
  }

  bytes(count: number): Buffer {
    if (count < 0 || count > this.left) throw new Error('the message is too short');
    this.at += count;
    return this.all.subarray(this.at - count, this.at);
  }

  letter = (): string => this.bytes(1).toString('latin1');
  int8 = (): number => this.bytes(1).readInt8();
  /** Counts: a negative one means nothing. */
  int16 = (): number => this.bytes(2).readUInt16BE();
  int32 = (): number => this.bytes(4).readInt32BE();
  int64 = (): bigint => this.bytes(8).readBigInt64BE();
  lsn = (): bigint => this.bytes(8).readBigUInt64BE();

  /** String: "a null-terminated string". */
  text(): string {
    const length = this.all.subarray(this.at).indexOf(0);
    if (length < 0) throw new Error('a text without an end');
    const bytes = this.bytes(length + 1).subarray(0, -1);
    // The documentation does not state the encoding, so bytes that are not UTF-8 are shown as bytes.
    const text = bytes.toString();
    return Buffer.from(text).equals(bytes) ? text : `\\x{${bytes.toString('hex')}}`;
  }

  expect(letter: string): void {
    if (this.letter() !== letter) throw new Error(`not ${letter}`);
  }

  end(): void {
    if (this.left > 0) throw new Error('the message has bytes after its last field');
  }
}
