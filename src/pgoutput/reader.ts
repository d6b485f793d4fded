import { WaltrailError } from '../errors.js';
import type { Lsn } from '../pg/lsn.js';
import { LastView } from '../pg/words.js';
import { readTransactionMessage, type TransactionMessage } from './transactions.js';
import { LENGTH_NULL, LENGTH_UNCHANGED, Tuple } from './tuple.js';

const TAG_ORIGIN = 0x4f; // 'O'
const TAG_STREAM_STOP = 0x45; // 'E'

/** A Relation message: what the following rows of this relation look like. */
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
  /** Part of the replica identity; with identity full every column is. */
  readonly isKey: boolean;
}

/** What the old row of an update or delete holds: all columns, the key columns only, or it was not sent. */
export type OldRow = 'full' | 'key' | 'none';

/** A logical message written by `pg_logical_emit_message`. `content` is valid only while the handler runs. */
export interface LogicalMessage {
  readonly transactional: boolean;
  readonly lsn: Lsn;
  readonly prefix: string;
  readonly content: Buffer;
}

/** Where a transaction was made, if not here: the session had a replication origin set up. */
export interface Origin {
  /** Of the commit on that server; zero where it is not known. */
  readonly lsn: Lsn;
  readonly name: string;
}

/** Receives the messages in stream order. Tuples are reused: read them before returning. */
export interface MessageHandler {
  /** `bytes` from `at` hold commit LSN (8 bytes), commit time (8, microseconds since 2000-01-01) and xid (4). */
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
  /** Comes before the first change of its transaction. */
  origin(origin: Origin): void;
  /** Of protocols 2 to 4, and only when START_REPLICATION asked for streaming or two-phase commits. */
  transaction(message: TransactionMessage): void;
  /** Comes before each message within Stream Start and Stream Stop: whose change it is, the transaction's or a subtransaction's. */
  streamed(xid: number): void;
}

/**
 * Reads pgoutput messages of protocol versions 1 to 4 and calls the handler for each; bytes in, places of bytes out.
 * Throws PGOUTPUT_MALFORMED for anything that is not as documented.
 *
 * @see https://www.postgresql.org/docs/current/protocol-logicalrep-message-formats.html
 */
export class MessageReader {
  readonly #handler: MessageHandler;
  readonly #previous = new Tuple();
  readonly #updated = new Tuple();
  readonly #views = new LastView();
  /** End of the message that is read. */
  #end = 0;
  /** Between Stream Start and Stream Stop every message has an xid behind its tag, but for origins. */
  #streaming = false;
  // One object per kind of change, reused: a change a microsecond would otherwise be garbage a microsecond.
  readonly #update: { previous: Tuple; oldRow: OldRow; updated: Tuple };
  readonly #delete: { previous: Tuple; oldRow: OldRow };

  constructor(handler: MessageHandler) {
    this.#handler = handler;
    this.#update = { previous: this.#previous, oldRow: 'none', updated: this.#updated };
    this.#delete = { previous: this.#previous, oldRow: 'none' };
  }

  /** One whole message in `bytes[start, end)`. */
  read(bytes: Buffer, start: number, end: number): void {
    this.#end = end;
    const tag = bytes[start]!;
    if (this.#streaming && tag !== TAG_STREAM_STOP && tag !== TAG_ORIGIN) {
      this.#handler.streamed(oid(bytes, start + 1));
      start += 4;
    }
    switch (tag) {
      case 0x55: // 'U' Update
        return this.#readUpdate(bytes, start + 1);
      case 0x49: // 'I' Insert: relation, 'N', tuple
        this.#tuple(bytes, start + 6, this.#updated);
        return this.#handler.insert(oid(bytes, start + 1), this.#updated);
      case 0x44: // 'D' Delete: relation, 'K' or 'O', tuple
        this.#delete.oldRow = bytes[start + 5] === 0x4f ? 'full' : 'key';
        this.#tuple(bytes, start + 6, this.#previous);
        return this.#handler.delete(oid(bytes, start + 1), this.#delete);
      case 0x42: // 'B' Begin
        return this.#handler.begin(bytes, start + 1);
      case 0x43: // 'C' Commit: one unused flag byte first
        return this.#handler.commit(bytes, start + 2);
      case 0x52: // 'R' Relation
        return this.#handler.relation(readRelation(bytes, start + 1));
      case 0x54: // 'T' Truncate: count, options, relations
        return this.#handler.truncate(readTruncated(bytes, start + 1));
      case 0x4d: // 'M' logical message
        return this.#handler.logicalMessage(readLogicalMessage(bytes, start + 1));
      case TAG_ORIGIN:
        return this.#handler.origin(readOrigin(bytes, start + 1));
      case 0x59: // 'Y' Type: values are text whatever their type
        return;
      default:
        if (this.#streaming && tag !== TAG_STREAM_STOP)
          throw malformed(`message tag ${hex(tag)} in a stream`);
        return this.#readOther(bytes, start, end);
    }
  }

  #readOther(bytes: Buffer, start: number, end: number): void {
    const message = readTransactionMessage(bytes, start, end);
    if (message === undefined) throw malformed(`message tag ${hex(bytes[start]!)}`);
    this.#streaming = message.kind === 'stream start';
    this.#handler.transaction(message);
  }

  #readUpdate(bytes: Buffer, start: number): void {
    let at = start + 4;
    const kind = bytes[at];
    const change = this.#update;
    if (kind === 0x4e) {
      change.oldRow = 'none';
    } else {
      change.oldRow = kind === 0x4f ? 'full' : 'key';
      at = this.#tuple(bytes, at + 1, this.#previous);
    }
    this.#tuple(bytes, at + 1, this.#updated);
    this.#handler.update(oid(bytes, start), change);
  }

  /** TupleData: a count, then for each column a kind and, for a value, its length and text. */
  #tuple(bytes: Buffer, start: number, into: Tuple): number {
    const { offsets, lengths } = into;
    const view = this.#views.of(bytes);
    const count = view.getUint16(start);
    const end = this.#end;
    let at = start + 2;
    into.bytes = bytes;
    into.count = count;
    for (let column = 0; column < count; column++) {
      const kind = bytes[at++];
      if (kind === 0x74 && at + 4 <= end) {
        const length = view.getInt32(at);
        if (length < 0) throw malformed('a value of negative length');
        offsets[column] = at + 4;
        lengths[column] = length;
        at += 4 + length;
      } else if (kind === 0x6e) {
        lengths[column] = LENGTH_NULL;
      } else if (kind === 0x75) {
        lengths[column] = LENGTH_UNCHANGED;
      } else {
        throw malformed('a column that is neither text, null nor unchanged');
      }
    }
    if (at > this.#end) throw malformed('a row that is longer than its message');
    return at;
  }
}

/** An unsigned or signed 32-bit integer: shifting is several times faster than Buffer's checked readers here. */
function oid(bytes: Buffer, at: number): number {
  return (bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!;
}

function readRelation(bytes: Buffer, start: number): Relation {
  const schema = cString(bytes, start + 4);
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
  // An empty schema name stands for pg_catalog.
  return {
    oid: oid(bytes, start),
    schema: schema.text || 'pg_catalog',
    table: table.text,
    replicaIdentity,
    columns,
  };
}

function readTruncated(bytes: Buffer, start: number): number[] {
  const count = bytes.readUInt32BE(start);
  return Array.from({ length: count }, (_, index) => oid(bytes, start + 5 + index * 4));
}

function readOrigin(bytes: Buffer, start: number): Origin {
  return { lsn: bytes.readBigUInt64BE(start), name: cString(bytes, start + 8).text };
}

function readLogicalMessage(bytes: Buffer, start: number): LogicalMessage {
  const prefix = cString(bytes, start + 9);
  const length = bytes.readUInt32BE(prefix.next);
  return {
    transactional: (bytes[start]! & 1) === 1,
    lsn: bytes.readBigUInt64BE(start + 1),
    prefix: prefix.text,
    content: bytes.subarray(prefix.next + 4, prefix.next + 4 + length),
  };
}

function cString(bytes: Buffer, start: number): { text: string; next: number } {
  const end = bytes.indexOf(0, start);
  if (end < 0) throw malformed('a name without an end');
  return { text: bytes.toString('utf8', start, end), next: end + 1 };
}

const hex = (tag: number): string => `0x${tag.toString(16)}`;

function malformed(what: string): WaltrailError {
  return new WaltrailError('PGOUTPUT_MALFORMED', `The replication stream holds ${what}.`);
}
