import type { Lsn } from '../pg/lsn.js';
import { readableText } from '../pg/text.js';
import {
  TAG_BEGIN_PREPARE,
  TAG_COMMIT_PREPARED,
  TAG_PREPARE,
  TAG_ROLLBACK_PREPARED,
  TAG_STREAM_ABORT,
  TAG_STREAM_COMMIT,
  TAG_STREAM_PREPARE,
  TAG_STREAM_START,
  TAG_STREAM_STOP,
} from './tags.js';

/**
 * A message of protocols 2 to 4 about a transaction: parts that are sent before its end, and the steps of a
 * two-phase commit. Times are microseconds since 2000-01-01. `xid` is the id of the whole transaction.
 */
export type TransactionMessage =
  | { readonly kind: 'stream start'; readonly xid: number; readonly first: boolean }
  | { readonly kind: 'stream stop' }
  | ({ readonly kind: 'stream commit' } & Committed)
  | {
      readonly kind: 'stream abort';
      readonly xid: number;
      /** The subtransaction that was rolled back. Equal to `xid` if the whole transaction was rolled back. */
      readonly subXid: number;
      /** Sent only by protocol 4 with `streaming 'parallel'`. */
      readonly aborted: { readonly lsn: Lsn; readonly at: bigint } | null;
    }
  | ({ readonly kind: 'begin prepare' | 'prepare' | 'stream prepare' } & Prepared)
  | ({ readonly kind: 'commit prepared'; readonly gid: string } & Committed)
  | {
      readonly kind: 'rollback prepared';
      readonly xid: number;
      readonly gid: string;
      readonly prepareEndLsn: Lsn;
      readonly endLsn: Lsn;
      readonly preparedAt: bigint;
      readonly rolledBackAt: bigint;
    };

interface Committed {
  readonly xid: number;
  readonly commitLsn: Lsn;
  readonly endLsn: Lsn;
  readonly committedAt: bigint;
}

interface Prepared {
  readonly xid: number;
  readonly gid: string;
  readonly prepareLsn: Lsn;
  readonly endLsn: Lsn;
  readonly preparedAt: bigint;
}

/**
 * Reads one complete message. Returns undefined for any other kind of message. Throws RangeError if the
 * message is shorter or longer than documented.
 *
 * @see https://www.postgresql.org/docs/current/protocol-logicalrep-message-formats.html
 */
export function readTransactionMessage(message: Buffer): TransactionMessage | undefined {
  switch (message[0]) {
    case TAG_STREAM_START:
      mustBe(message.length === 6);
      return { kind: 'stream start', xid: message.readInt32BE(1), first: message.readInt8(5) === 1 };
    case TAG_STREAM_STOP:
      mustBe(message.length === 1);
      return { kind: 'stream stop' };
    case TAG_STREAM_COMMIT:
      mustBe(message.length === 30);
      return { kind: 'stream commit', xid: message.readInt32BE(1), ...readCommitted(message, 6) };
    case TAG_STREAM_ABORT:
      mustBe(message.length === 9 || message.length === 25);
      return {
        kind: 'stream abort',
        xid: message.readInt32BE(1),
        subXid: message.readInt32BE(5),
        aborted:
          message.length === 9 ? null : { lsn: message.readBigUInt64BE(9), at: message.readBigInt64BE(17) },
      };
    case TAG_BEGIN_PREPARE:
      return { kind: 'begin prepare', ...readPrepared(message, 1) };
    case TAG_PREPARE:
      return { kind: 'prepare', ...readPrepared(message, 2) };
    case TAG_STREAM_PREPARE:
      return { kind: 'stream prepare', ...readPrepared(message, 2) };
    case TAG_COMMIT_PREPARED:
      return {
        kind: 'commit prepared',
        xid: message.readInt32BE(26),
        gid: readText(message, 30),
        ...readCommitted(message, 2),
      };
    case TAG_ROLLBACK_PREPARED:
      return {
        kind: 'rollback prepared',
        xid: message.readInt32BE(34),
        gid: readText(message, 38),
        prepareEndLsn: message.readBigUInt64BE(2),
        endLsn: message.readBigUInt64BE(10),
        preparedAt: message.readBigInt64BE(18),
        rolledBackAt: message.readBigInt64BE(26),
      };
    default:
      return undefined;
  }
}

function readCommitted(message: Buffer, at: number): Omit<Committed, 'xid'> {
  return {
    commitLsn: message.readBigUInt64BE(at),
    endLsn: message.readBigUInt64BE(at + 8),
    committedAt: message.readBigInt64BE(at + 16),
  };
}

function readPrepared(message: Buffer, at: number): Prepared {
  return {
    xid: message.readInt32BE(at + 24),
    gid: readText(message, at + 28),
    prepareLsn: message.readBigUInt64BE(at),
    endLsn: message.readBigUInt64BE(at + 8),
    preparedAt: message.readBigInt64BE(at + 16),
  };
}

/** Reads a text that is the last field of its message. */
function readText(message: Buffer, at: number): string {
  const end = message.indexOf(0, at);
  mustBe(end === message.length - 1);
  return readableText(message, at, end - at);
}

function mustBe(whole: boolean): void {
  if (!whole) throw new RangeError('the message is shorter or longer than documented');
}
