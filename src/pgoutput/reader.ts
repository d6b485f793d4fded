import { isWaltrailError, WaltrailError } from '../errors.js';
import type { Lsn } from '../pg/lsn.js';
import { readableText } from '../pg/text.js';
import { LastView } from '../pg/byte-loops.js';
import {
  NEW_ROW,
  OLD_KEY,
  OLD_ROW,
  TAG_BEGIN,
  TAG_COMMIT,
  TAG_DELETE,
  TAG_INSERT,
  TAG_LOGICAL_MESSAGE,
  TAG_ORIGIN,
  TAG_RELATION,
  TAG_STREAM_STOP,
  TAG_TRUNCATE,
  TAG_TYPE,
  TAG_UPDATE,
  VALUE_BINARY,
  VALUE_NULL,
  VALUE_TEXT,
  VALUE_UNCHANGED,
} from './tags.js';
import { readTransactionMessage, type TransactionMessage } from './transactions.js';
import { LENGTH_NULL, LENGTH_UNCHANGED, MAX_COLUMNS, Tuple } from './tuple.js';

/**
 * Copies of the value kinds for the loop over the columns of a row. V8 compiles a constant of the same file
 * into the code, but loads an imported one each time (measured: 84 ns instead of 90 ns per message).
 */
const TEXT = VALUE_TEXT;
const NULL = VALUE_NULL;
const UNCHANGED = VALUE_UNCHANGED;
const BINARY = VALUE_BINARY;
const BEGIN_BYTES = 21;
const COMMIT_BYTES = 26;
const MAX_PREFIX_BYTES = 256;

/** A Relation message: describes the following rows of this relation. */
export interface Relation {
  readonly oid: number;
  readonly schema: string;
  readonly table: string;
  /** `d` default (primary key), `f` full, `i` index, `n` nothing. */
  readonly replicaIdentity: string;
  readonly columns: readonly RelationColumn[];
}

export interface RelationColumn {
  readonly name: string;
  readonly typeOid: number;
  readonly typeModifier: number;
  /** Whether the column is part of the replica identity. With replica identity full, every column is. */
  readonly isKey: boolean;
}

/**
 * The content of the old row of an update or delete: all columns, only the key columns, or nothing because it
 * was not sent.
 */
export type OldRow = 'full' | 'key' | 'none';

/** A logical message written by `pg_logical_emit_message`. `content` is valid only while the handler runs. */
export interface LogicalMessage {
  readonly transactional: boolean;
  readonly lsn: Lsn;
  /** The first 256 bytes at most: Node cannot create a string of 600 MB. */
  readonly prefix: string;
  readonly content: Buffer;
}

/** The server where a transaction originated, if the session had set a replication origin. */
export interface Origin {
  /** The LSN of the commit on that server; zero if unknown. */
  readonly lsn: Lsn;
  readonly name: string;
}

/** Receives the messages in stream order. Tuples are reused: read them before returning. */
export interface MessageHandler {
  /**
   * `bytes` from `at` hold commit LSN (8 bytes), commit time (8, microseconds since 2000-01-01) and xid (4).
   */
  begin(bytes: Buffer, at: number): void;
  /** `bytes` from `at` hold commit LSN (8), end LSN (8) and commit time (8). */
  commit(bytes: Buffer, at: number): void;
  relation(relation: Relation): void;
  insert(relationOid: number, updated: Tuple): void;
  update(
    relationOid: number,
    change: { readonly previous: Tuple; readonly oldRow: OldRow; readonly updated: Tuple },
  ): void;
  delete(relationOid: number, change: { readonly previous: Tuple; readonly oldRow: OldRow }): void;
  truncate(relationOids: readonly number[]): void;
  logicalMessage(message: LogicalMessage): void;
  /** Called before the first change of its transaction. */
  origin(origin: Origin): void;
  /**
   * Messages of protocols 2 to 4. They arrive only if START_REPLICATION asked for streaming or two-phase
   * commits.
   */
  transaction(message: TransactionMessage): void;
  /**
   * Called before each message between Stream Start and Stream Stop, with the id of the transaction or
   * subtransaction that made the change.
   */
  streamed(xid: number): void;
}

/**
 * Reads pgoutput messages of protocol versions 1 to 4 and calls the handler for each. Rows are passed as
 * places in the bytes, without copying. Throws PGOUTPUT_MALFORMED for anything that differs from the
 * documentation, including a message with bytes after its last field. test/support/reference-reader.ts
 * implements the documentation literally with the same interface.
 *
 * @see https://www.postgresql.org/docs/current/protocol-logicalrep-message-formats.html
 */
export class MessageReader {
  readonly #handler: MessageHandler;
  readonly #previous = new Tuple();
  readonly #updated = new Tuple();
  readonly #views = new LastView();
  /** End of the message that is being read. */
  #end = 0;
  /** Between Stream Start and Stream Stop, every message except Origin has an xid after its tag. */
  #streaming = false;
  // One object for each kind of change, reused. At one change per microsecond, new objects would be much
  // garbage.
  readonly #update: { previous: Tuple; oldRow: OldRow; updated: Tuple };
  readonly #delete: { previous: Tuple; oldRow: OldRow };

  constructor(handler: MessageHandler) {
    this.#handler = handler;
    this.#update = { previous: this.#previous, oldRow: 'none', updated: this.#updated };
    this.#delete = { previous: this.#previous, oldRow: 'none' };
  }

  /** Reads one complete message in `bytes[start, end)`. */
  read(bytes: Buffer, start: number, end: number): void {
    this.#end = end;
    const tag = bytes[start]!;
    if (this.#streaming && tag !== TAG_STREAM_STOP && tag !== TAG_ORIGIN) {
      if (tag === TAG_BEGIN || tag === TAG_COMMIT || start + 5 > end)
        throw malformed(`message tag ${hex(tag)} in a stream`);
      this.#handler.streamed(oid(bytes, start + 1));
      start += 4;
    }
    switch (tag) {
      case TAG_UPDATE:
        return this.#readUpdate(bytes, start + 1);
      case TAG_INSERT: // relation, 'N', tuple
        if (bytes[start + 5] !== NEW_ROW || this.#tuple(bytes, start + 6, this.#updated) !== end)
          throw malformed(NOT_A_ROW);
        return this.#handler.insert(oid(bytes, start + 1), this.#updated);
      case TAG_DELETE: // relation, 'K' or 'O', tuple
        this.#delete.oldRow = oldRowOf(bytes[start + 5]);
        if (this.#tuple(bytes, start + 6, this.#previous) !== end) throw malformed(NOT_A_ROW);
        return this.#handler.delete(oid(bytes, start + 1), this.#delete);
      case TAG_BEGIN:
        if (end - start !== BEGIN_BYTES) throw malformed(NOT_WHOLE);
        return this.#handler.begin(bytes, start + 1);
      case TAG_COMMIT: // one unused flag byte first
        if (end - start !== COMMIT_BYTES) throw malformed(NOT_WHOLE);
        return this.#handler.commit(bytes, start + 2);
      case TAG_RELATION:
        return this.#handler.relation(readWhole(readRelation, bytes.subarray(start, end)));
      case TAG_TRUNCATE: // count, options, relations
        return this.#handler.truncate(readWhole(readTruncated, bytes.subarray(start, end)));
      case TAG_LOGICAL_MESSAGE:
        return this.#handler.logicalMessage(readWhole(readLogicalMessage, bytes.subarray(start, end)));
      case TAG_ORIGIN:
        return this.#handler.origin(readWhole(readOrigin, bytes.subarray(start, end)));
      case TAG_TYPE: // values are text whatever their type
        return readWhole(readType, bytes.subarray(start, end));
      default:
        if (this.#streaming && tag !== TAG_STREAM_STOP)
          throw malformed(`message tag ${hex(tag)} in a stream`);
        return this.#readOther(tag, bytes.subarray(start, end));
    }
  }

  #readOther(tag: number, bytes: Buffer): void {
    const message = readWhole(readTransactionMessage, bytes);
    if (message === undefined) throw malformed(`message tag ${hex(tag)}`);
    this.#streaming = message.kind === 'stream start';
    this.#handler.transaction(message);
  }

  #readUpdate(bytes: Buffer, start: number): void {
    let at = start + 4;
    const kind = bytes[at];
    const change = this.#update;
    if (kind === NEW_ROW) {
      change.oldRow = 'none';
    } else {
      change.oldRow = oldRowOf(kind);
      at = this.#tuple(bytes, at + 1, this.#previous);
      if (bytes[at] !== NEW_ROW) throw malformed(NOT_A_ROW);
    }
    if (this.#tuple(bytes, at + 1, this.#updated) !== this.#end) throw malformed(NOT_A_ROW);
    this.#handler.update(oid(bytes, start), change);
  }

  /**
   * Reads TupleData: a count, then for each column a kind and, for a value, its length and text. Returns
   * where it ends, which may be beyond the end of the message.
   */
  #tuple(bytes: Buffer, start: number, into: Tuple): number {
    const { offsets, lengths } = into;
    const view = this.#views.of(bytes);
    const end = this.#end;
    const count = start + 2 > end ? MAX_COLUMNS + 1 : view.getUint16(start);
    if (count > MAX_COLUMNS) throw malformed(NOT_A_ROW);
    let at = start + 2;
    into.bytes = bytes;
    into.count = count;
    into.hasOpaque = false;
    for (let column = 0; column < count; column++) {
      const kind = bytes[at++];
      if (kind === TEXT && at + 4 <= end) {
        const length = view.getInt32(at);
        if (length < 0) throw malformed('a value of negative length');
        offsets[column] = at + 4;
        lengths[column] = length;
        at += 4 + length;
      } else if (kind === NULL) {
        lengths[column] = LENGTH_NULL;
      } else if (kind === UNCHANGED) {
        lengths[column] = LENGTH_UNCHANGED;
      } else if (kind === BINARY && at + 4 <= end) {
        const length = view.getInt32(at);
        if (length < 0) throw malformed('a value of negative length');
        markOpaque(into, column);
        offsets[column] = at + 4;
        lengths[column] = length;
        at += 4 + length;
      } else {
        throw malformed('a column that is neither text, null nor unchanged');
      }
    }
    return at;
  }
}

function markOpaque(into: Tuple, column: number): void {
  if (!into.hasOpaque) into.opaque.fill(0);
  into.hasOpaque = true;
  into.opaque[column] = 1;
}

/** Reads a 32-bit integer. Shifting is several times faster here than Buffer's checked readers. */
function oid(bytes: Buffer, at: number): number {
  return (bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!;
}

function oldRowOf(kind: number | undefined): OldRow {
  if (kind === OLD_ROW) return 'full';
  if (kind === OLD_KEY) return 'key';
  throw malformed(NOT_A_ROW);
}

/**
 * Reads a message other than a row. Buffer's own checks find a message that is too short, and `ends` finds
 * one that is too long.
 */
function readWhole<T>(read: (message: Buffer) => T, message: Buffer): T {
  try {
    return read(message);
  } catch (error) {
    throw isWaltrailError(error) ? error : malformed(NOT_WHOLE);
  }
}

function ends(message: Buffer, at: number): void {
  if (at !== message.length) throw malformed(NOT_WHOLE);
}

function readRelation(bytes: Buffer): Relation {
  const schema = cString(bytes, 5);
  const table = cString(bytes, schema.next);
  const replicaIdentity = String.fromCharCode(bytes[table.next]!);
  const count = bytes.readUInt16BE(table.next + 1);
  const columns: RelationColumn[] = [];
  let at = table.next + 3;
  for (let column = 0; column < count; column++) {
    const name = cString(bytes, at + 1);
    columns.push({
      name: name.text,
      typeOid: bytes.readUInt32BE(name.next),
      typeModifier: bytes.readInt32BE(name.next + 4),
      isKey: (bytes[at]! & 1) === 1,
    });
    at = name.next + 8;
  }
  ends(bytes, at);
  // An empty schema name stands for pg_catalog.
  return {
    oid: bytes.readInt32BE(1),
    schema: schema.text || 'pg_catalog',
    table: table.text,
    replicaIdentity,
    columns,
  };
}

function readTruncated(bytes: Buffer): number[] {
  const count = bytes.readUInt32BE(1);
  ends(bytes, 6 + count * 4);
  return Array.from({ length: count }, (_, index) => bytes.readInt32BE(6 + index * 4));
}

function readOrigin(bytes: Buffer): Origin {
  const name = cString(bytes, 9);
  ends(bytes, name.next);
  return { lsn: bytes.readBigUInt64BE(1), name: name.text };
}

function readLogicalMessage(bytes: Buffer): LogicalMessage {
  const prefixEnd = bytes.indexOf(0, 10);
  if (prefixEnd < 0) throw malformed('a name without an end');
  const at = prefixEnd + 5;
  ends(bytes, at + bytes.readUInt32BE(prefixEnd + 1));
  return {
    transactional: (bytes[1]! & 1) === 1,
    lsn: bytes.readBigUInt64BE(2),
    prefix: readableText(bytes, 10, Math.min(prefixEnd - 10, MAX_PREFIX_BYTES)),
    content: bytes.subarray(at),
  };
}

/** Checks the length of a Type message. Its oid, schema and name are not needed. */
function readType(bytes: Buffer): void {
  ends(bytes, cString(bytes, cString(bytes, 5).next).next);
}

function cString(bytes: Buffer, start: number): { text: string; next: number } {
  const end = bytes.indexOf(0, start);
  if (end < 0) throw malformed('a name without an end');
  return { text: readableText(bytes, start, end - start), next: end + 1 };
}

const NOT_A_ROW = 'a row that is not as documented';
const NOT_WHOLE = 'a message that is shorter or longer than documented';
const hex = (tag: number): string => `0x${tag.toString(16)}`;

function malformed(what: string): WaltrailError {
  return new WaltrailError('PGOUTPUT_MALFORMED', `The replication stream holds ${what}.`);
}
