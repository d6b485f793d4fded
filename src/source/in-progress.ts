import { WaltrailError } from '../errors.js';
import type { Lsn } from '../pg/lsn.js';
import { COPY_DATA } from '../pg/message-types.js';
import {
  TAG_BEGIN,
  TAG_COMMIT,
  TAG_LOGICAL_MESSAGE,
  TAG_ORIGIN,
  TAG_RELATION,
  TAG_STREAM_ABORT,
  TAG_STREAM_COMMIT,
  TAG_STREAM_START,
  TAG_STREAM_STOP,
  TAG_TYPE,
} from '../pgoutput/tags.js';
import { readTransactionMessage, type TransactionMessage } from '../pgoutput/transactions.js';
import { FrameReader } from './frames.js';
import { Spool } from './spool.js';

/** Receives complete transactions. The methods are those of StreamHandler. */
interface Receiver {
  begins(bytes: Buffer, at: number): Promise<void> | undefined;
  described(oids: readonly number[], commitLsn: Lsn): Promise<void> | undefined;
  message(bytes: Buffer, start: number, end: number): void;
  readDone(): void;
}

export interface InProgressOptions {
  /** The folder of the spools; null: streaming was not requested. */
  readonly folder: string | null;
  readonly receiver: Receiver;
  /**
   * Prefixes of transactional logical messages that attribute changes. The first such message of a
   * transaction is delivered before its first change.
   */
  readonly messagePrefixes: readonly string[];
  /** Returns a promise to wait for before more is delivered, or undefined. */
  readonly paused: () => Promise<void> | undefined;
}

/** Above this, the source is not read until the disk has caught up. */
const MAX_UNWRITTEN_BYTES = 1024 * 1024;
/**
 * If more transactions are open than this, a transaction frees its memory at the end of each of its stream
 * blocks.
 */
const MAX_IN_MEMORY = 32;

/**
 * Places in a streamed logical message. After tag and xid come flags (1 byte), LSN (8 bytes), and the prefix
 * with its NUL.
 */
const FLAGS_AT = 5;
const PREFIX_AT = 14;
const TRANSACTIONAL = 1;
/** Place in a Stream Commit, after tag, xid and flags. */
const COMMIT_LSN_AT = 6;
/** Message tags that this class handles outside a stream block. */
const CONCERNS = new Uint8Array(256);
for (const tag of [TAG_STREAM_START, TAG_STREAM_STOP, TAG_STREAM_COMMIT, TAG_STREAM_ABORT, TAG_RELATION])
  CONCERNS[tag] = 1;

/**
 * A spooled record begins with frame type and length, which FrameReader reads, then the xid. The message
 * follows without its own xid.
 */
const RECORD_HEADER_BYTES = 9;

interface SentRelation {
  readonly message: Buffer;
  /** Its position among all Relation messages. */
  readonly sentAt: number;
  readonly xid: number;
}

/** A transaction whose end the source has not sent yet. */
interface Transaction {
  readonly changes: Spool;
  /**
   * Messages to deliver before the first change: the origin, and the first message that attributes changes.
   */
  readonly heading: Spool;
  /** Whether a message that attributes changes was sent. */
  hasMessage: boolean;
  /**
   * Whether such a message may belong to a subtransaction that was rolled back. PostgreSQL sends only the id
   * of the whole transaction with a message.
   */
  doubtful: boolean;
  /** Subtransactions that were rolled back after some of their changes had been sent. */
  readonly aborted: Set<number>;
  /**
   * Descriptions of each relation, by oid. The source sends another one only after a rollback or a change of
   * the definition.
   */
  readonly relations: Map<number, SentRelation[]>;
}

/**
 * Turns transactions that the source streams while they run into complete ones. Their messages are spooled
 * and delivered at Stream Commit, as protocol 1 would have sent them. There is one difference: the first
 * logical message is delivered once more, ahead of the changes.
 *
 * The receiver therefore does not notice streaming, transactions arrive in commit order, and changes that
 * were rolled back are not delivered. If it is unknown whether a logical message was rolled back, the
 * transaction must be read without streaming (DECISIONS 36).
 *
 * @see https://www.postgresql.org/docs/current/protocol-logical-replication.html
 */
export class InProgressTransactions {
  readonly #options: InProgressOptions;
  /** Each with its final NUL. */
  readonly #messagePrefixes: readonly Buffer[];
  readonly #open = new Map<number, Transaction>();
  /** The transaction of the open stream block. */
  #current: Transaction | undefined;
  #currentXid = 0;
  /** The latest descriptions from ended transactions. The source assumes that they are known. */
  readonly #relations = new Map<number, SentRelation>();
  #relationsSent = 0;
  readonly #header = Buffer.alloc(RECORD_HEADER_BYTES);
  /** Subtransactions to skip in the transaction that is being replayed. */
  #passedOver: ReadonlySet<number> = new Set();
  #replayed: FrameReader | undefined;
  #closed = false;

  constructor(options: InProgressOptions) {
    this.#options = options;
    this.#messagePrefixes = options.messagePrefixes.map((prefix) => Buffer.from(`${prefix}\0`));
    this.#header[0] = COPY_DATA;
  }

  /** Returns the oid of a Relation message that is delivered at once; null for any other message. */
  relationOid(bytes: Buffer, start: number): number | null {
    return bytes[start] === TAG_RELATION && this.#current === undefined
      ? bytes.readUInt32BE(start + 1)
      : null;
  }

  /**
   * Takes one pgoutput message. If it returns a promise, wait for it before the next message. It rejects with
   * the error that ends the stream. Throws PGOUTPUT_MALFORMED, SOURCE_SPOOL_FAILED, SOURCE_READ_WHOLE and
   * what the receiver throws.
   */
  message(bytes: Buffer, start: number, end: number): Promise<void> | undefined {
    const tag = bytes[start]!;
    if (this.#current === undefined) {
      if (CONCERNS[tag] === 0 || tag === TAG_RELATION) {
        if (tag === TAG_RELATION) {
          const [oid, sent] = this.#relation(0, bytes.subarray(start + 1, end));
          this.#relations.set(oid, sent);
        }
        this.#options.receiver.message(bytes, start, end);
        return undefined;
      }
    } else if (CONCERNS[tag] === 0 || tag === TAG_RELATION) {
      return this.#spool(this.#current, bytes, start, end);
    }
    const message = bytes.subarray(start, end);
    return this.#control(readTransactionMessage(message)!, message);
  }

  /** Discards transactions that are not committed. The source sends them again. */
  async close(): Promise<void> {
    this.#closed = true;
    await Promise.all(Array.from(this.#open.values(), close));
    this.#open.clear();
  }

  #control(message: TransactionMessage, bytes: Buffer): Promise<void> | undefined {
    const { kind } = message;
    if ((kind === 'stream stop') === (this.#current === undefined)) throw unexpected(kind);
    switch (kind) {
      case 'stream start':
        return this.#start(message.xid, message.first);
      case 'stream stop':
        return this.#stop();
      case 'stream abort':
        return this.#abort(message.xid, message.subXid);
      case 'stream commit':
        // The bytes do not outlive this call.
        return this.#replay(message.xid, Buffer.from(bytes)).catch((error: unknown) => {
          // close() may have closed the spool during the replay.
          if (!this.#closed) throw error;
        });
      default:
        throw unexpected(kind);
    }
  }

  #start(xid: number, first: boolean): undefined {
    const { folder } = this.#options;
    let transaction = this.#open.get(xid);
    // Continuing without the beginning, or with parts of another transaction, would make the trail wrong.
    if (folder === null || first !== (transaction === undefined)) throw unexpected('stream start');
    if (transaction === undefined) {
      transaction = {
        changes: new Spool(folder),
        heading: new Spool(folder),
        hasMessage: false,
        doubtful: false,
        aborted: new Set(),
        relations: new Map(),
      };
      this.#open.set(xid, transaction);
    }
    this.#current = transaction;
    this.#currentXid = xid;
  }

  #stop(): Promise<void> | undefined {
    const { changes, heading } = this.#current!;
    this.#current = undefined;
    if (this.#open.size <= MAX_IN_MEMORY) return undefined;
    changes.release();
    heading.release();
    return changes.unwrittenBytes > MAX_UNWRITTEN_BYTES ? changes.written() : undefined;
  }

  #abort(xid: number, subXid: number): Promise<void> | undefined {
    const transaction = this.#open.get(xid);
    if (transaction === undefined) return undefined;
    if (subXid === xid) {
      this.#open.delete(xid);
      return close(transaction);
    }
    transaction.aborted.add(subXid);
    // Messages that arrive later belong to no subtransaction that has been rolled back so far.
    if (transaction.hasMessage) transaction.doubtful = true;
    for (const [oid, sent] of transaction.relations) {
      transaction.relations.set(
        oid,
        sent.filter((one) => one.xid !== subXid),
      );
    }
    return undefined;
  }

  /**
   * Spools a message in order among the changes. Origins go to the heading, and Type messages are not needed.
   */
  #spool(transaction: Transaction, bytes: Buffer, start: number, end: number): Promise<void> | undefined {
    const tag = bytes[start]!;
    if (tag === TAG_TYPE) return undefined;
    const { changes, heading } = transaction;
    if (tag === TAG_ORIGIN) {
      this.#append(heading, bytes, start, end);
      return undefined;
    }
    this.#append(changes, bytes, start, end);
    if (tag === TAG_LOGICAL_MESSAGE && this.#speaks(bytes, start)) {
      if (!transaction.hasMessage) this.#append(heading, bytes, start, end);
      transaction.hasMessage = true;
    }
    if (tag === TAG_RELATION) {
      const [oid, sent] = this.#relation(bytes.readInt32BE(start + 1), bytes.subarray(start + 5, end));
      transaction.relations.set(oid, [...(transaction.relations.get(oid) ?? []), sent]);
    }
    return changes.unwrittenBytes > MAX_UNWRITTEN_BYTES ? changes.written() : undefined;
  }

  /** Only origins come without an xid. */
  #append(spool: Spool, bytes: Buffer, start: number, end: number): void {
    const isOrigin = bytes[start] === TAG_ORIGIN;
    const xid = isOrigin ? this.#currentXid : bytes.readInt32BE(start + 1);
    const bodyAt = isOrigin ? start + 1 : start + 5;
    const header = this.#header;
    // The length counts itself, the xid, the tag and the rest.
    header.writeUInt32BE(4 + 4 + 1 + (end - bodyAt), 1);
    header.writeInt32BE(xid, 5);
    spool.append(header, 0, RECORD_HEADER_BYTES);
    spool.append(bytes, start, start + 1);
    spool.append(bytes, bodyAt, end);
  }

  /** Whether a logical message is transactional and has one of the prefixes. */
  #speaks(bytes: Buffer, start: number): boolean {
    const at = start + PREFIX_AT;
    return (
      (bytes[start + FLAGS_AT]! & TRANSACTIONAL) !== 0 &&
      this.#messagePrefixes.some((prefix) => bytes.subarray(at, at + prefix.length).equals(prefix))
    );
  }

  async #replay(xid: number, commit: Buffer): Promise<void> {
    const transaction = this.#open.get(xid);
    if (transaction === undefined) throw unexpected('stream commit');
    if (transaction.doubtful) throw needsReplay(xid);
    const { receiver } = this.#options;
    await receiver.begins(commit, COMMIT_LSN_AT);
    await receiver.described([...transaction.relations.keys()], commit.readBigUInt64BE(COMMIT_LSN_AT));
    this.#passedOver = transaction.aborted;
    this.#hand(beginOf(commit));
    for (const spool of [transaction.heading, transaction.changes]) {
      for await (const piece of spool.read()) {
        await this.#options.paused();
        if (this.#closed) return;
        (this.#replayed ??= this.#makeReader()).push(piece);
        receiver.readDone();
      }
    }
    if (this.#closed) return;
    this.#settleRelations(transaction);
    this.#hand(Buffer.concat([Buffer.of(TAG_COMMIT), commit.subarray(5)]));
    this.#open.delete(xid);
    await close(transaction);
  }

  #makeReader(): FrameReader {
    const { receiver } = this.#options;
    return new FrameReader((_tag, bytes, start, end) => {
      const passedOver = this.#passedOver;
      if (passedOver.size > 0 && passedOver.has(bytes.readInt32BE(start))) return;
      receiver.message(bytes, start + 4, end);
    });
  }

  #hand(message: Buffer): void {
    this.#options.receiver.message(message, 0, message.length);
  }

  /**
   * Restores the current description of relations after a replay. The replay described them as they were when
   * the transaction was streamed. If the source has since described one again, in another transaction, later
   * rows have that form. The description is delivered before the commit, because a change of columns is
   * recorded within a transaction.
   */
  #settleRelations(transaction: Transaction): void {
    for (const [oid, descriptions] of transaction.relations) {
      const known = this.#relations.get(oid);
      const sent = descriptions.at(-1);
      if (sent === undefined) continue;
      if (known !== undefined && known.sentAt > sent.sentAt) this.#hand(known.message);
      else this.#relations.set(oid, sent);
    }
  }

  /**
   * Returns a description with its oid. This is rare: the source describes a relation once, until its
   * definition changes.
   */
  #relation(xid: number, body: Buffer): [oid: number, sent: SentRelation] {
    const message = Buffer.concat([Buffer.of(TAG_RELATION), body]);
    return [body.readUInt32BE(0), { message, sentAt: this.#relationsSent++, xid }];
  }
}

/**
 * Builds a Begin message (commit LSN, commit time, xid) from a Stream Commit (xid, flags, commit LSN, end
 * LSN, commit time).
 */
function beginOf(commit: Buffer): Buffer {
  return Buffer.concat([
    Buffer.of(TAG_BEGIN),
    commit.subarray(COMMIT_LSN_AT, COMMIT_LSN_AT + 8),
    commit.subarray(22, 30),
    commit.subarray(1, 5),
  ]);
}

async function close({ changes, heading }: Transaction): Promise<void> {
  await Promise.all([changes.close(), heading.close()]);
}

function needsReplay(xid: number): WaltrailError {
  return new WaltrailError(
    'SOURCE_READ_WHOLE',
    `Transaction ${xid >>> 0} rolled back to a savepoint after a logical message. Waltrail reads it again without streaming, so that the source leaves out what was rolled back.`,
  );
}

function unexpected(kind: string): WaltrailError {
  return new WaltrailError(
    'PGOUTPUT_MALFORMED',
    `The replication stream has a ${kind} message in a place where none is allowed.`,
  );
}
