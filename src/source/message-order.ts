import { COPY_DATA, NOTICE_RESPONSE } from '../pg/message-types.js';
import {
  TAG_DELETE,
  TAG_INSERT,
  TAG_LOGICAL_MESSAGE,
  TAG_RELATION,
  TAG_TRUNCATE,
  TAG_TYPE,
  TAG_UPDATE,
} from '../pgoutput/tags.js';
import { XLOG_DATA } from './replication-protocol.js';

// Places in a frame of the replication stream (CopyData with XLogData): type (1 byte), length (4), 'w', start
// LSN of the data (8), the source's WAL end (8), its clock (8), then the pgoutput message. The first byte of
// the message is its kind.
const LENGTH_AT = 1;
const KIND_AT = 5;
const LSN_AT = 6;
const TAG_AT = 30;
const HEADER_BYTES = 31;

/** Insert, Update, Delete and Truncate, and the messages that describe them: Relation and Type. */
const CHANGES = new Uint8Array(256);
for (const tag of [TAG_INSERT, TAG_UPDATE, TAG_DELETE, TAG_TRUNCATE, TAG_RELATION, TAG_TYPE])
  CHANGES[tag] = 1;

/** Not enough bytes have arrived to decide. */
export const NOT_YET = -2;
/** The frame is delivered in its place. */
export const IN_PLACE = -1;

/**
 * Finds logical messages that were sent after changes that they precede in the WAL.
 *
 * PostgreSQL merges the changes of a transaction's subtransactions by LSN. The LSN of a row is the start of
 * its WAL record. The LSN of a logical message is the end of its record, where the next record begins. A
 * message and the row after it therefore have the same LSN. If they belong to different subtransactions,
 * either may be sent first. A record of COPY has many rows, which are then all sent before the message. The
 * message came first in the WAL, so it applies to these rows.
 *
 * @see https://www.postgresql.org/docs/current/protocol-replication.html (XLogData)
 * @see https://github.com/postgres/postgres/blob/REL_18_STABLE/src/backend/replication/logical/decode.c
 *   (logicalmsg_decode)
 */
export class MessageOrder {
  /** Every frame that begins before this place is delivered in order. */
  #settledUntil = 0;

  /**
   * Returns where the frame begins that must be delivered before the complete frame at `at`; or {@link
   * IN_PLACE}, or {@link NOT_YET}. Bytes from `tail` on have not arrived.
   */
  frameAhead(bytes: Buffer, at: number, tail: number): number {
    if (at < this.#settledUntil || !isChange(bytes, at)) return IN_PLACE;
    for (let next = frameEnd(bytes, at); tail - next > KIND_AT; next = frameEnd(bytes, next)) {
      // Keepalives and notices may come in between.
      if (
        bytes[next] === NOTICE_RESPONSE ||
        (bytes[next] === COPY_DATA && bytes[next + KIND_AT] !== XLOG_DATA)
      )
        continue;
      if (bytes[next] === COPY_DATA && tail - next < HEADER_BYTES) return NOT_YET;
      const isMessage = bytes[next + TAG_AT] === TAG_LOGICAL_MESSAGE;
      if (bytes[next] !== COPY_DATA || !sameLsn(bytes, at, next) || (!isMessage && !isChange(bytes, next))) {
        this.#settledUntil = next;
        return IN_PLACE;
      }
      if (!isMessage) continue;
      const end = frameEnd(bytes, next);
      if (end > tail) return NOT_YET;
      this.#settledUntil = end;
      return next;
    }
    return NOT_YET;
  }

  /** Forgets places, because the frames were moved within the buffer. */
  moved(): void {
    this.#settledUntil = 0;
  }
}

const frameEnd = (bytes: Buffer, at: number): number => at + 1 + bytes.readUInt32BE(at + LENGTH_AT);

const isChange = (bytes: Buffer, at: number): boolean =>
  CHANGES[bytes[at + TAG_AT]!] === 1 && bytes[at + KIND_AT] === XLOG_DATA && bytes[at] === COPY_DATA;

function sameLsn(bytes: Buffer, left: number, right: number): boolean {
  // From the end, because the last bytes are the most likely to differ.
  for (let index = LSN_AT + 7; index >= LSN_AT; index--)
    if (bytes[left + index] !== bytes[right + index]) return false;
  return true;
}
