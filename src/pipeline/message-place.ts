import type { Lsn } from '../pg/lsn.js';

/** The place of a logical message in the stream. */
export interface MessagePlace {
  readonly lsn: Lsn;
  /** Commit LSN of the message's transaction. */
  readonly commitLsn: Lsn;
}

/**
 * Whether a message comes after the last one that was counted. It does not if the stream is read again from
 * the checkpoint. Messages arrive in the order of their transactions' commits, and within a transaction in
 * their own order.
 */
export const isBehind = (message: MessagePlace, last: MessagePlace | undefined): boolean =>
  last === undefined ||
  message.commitLsn > last.commitLsn ||
  (message.commitLsn === last.commitLsn && message.lsn > last.lsn);
