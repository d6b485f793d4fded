import type { Lsn } from '../pg/lsn.js';

/** Where in the stream a logical message of a transaction is. */
export interface MessagePlace {
  readonly lsn: Lsn;
  /** Of its transaction. */
  readonly commitLsn: Lsn;
}

/**
 * Whether a message is behind the last one that was counted: the stream is read again from the checkpoint.
 * Messages arrive by the commits of their transactions, and within one by their own place.
 */
export const isBehind = (message: MessagePlace, last: MessagePlace | undefined): boolean =>
  last === undefined ||
  message.commitLsn > last.commitLsn ||
  (message.commitLsn === last.commitLsn && message.lsn > last.lsn);
