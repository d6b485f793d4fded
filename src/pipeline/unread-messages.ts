import type { Log } from '../log.js';
import { formatLsn } from '../pg/lsn.js';
import { isBehind, type MessagePlace } from './message-place.js';
import { OnceAMinute } from './once-a-minute.js';
import type { Unread } from './statement.js';

/** A logical message that should state who made changes, but was not understood or not signed. */
export interface UnreadMessage extends MessagePlace {
  readonly xid: number;
  readonly prefix: string;
  readonly reason: Unread;
}

/**
 * Counts messages that were not understood or not signed, and logs them at most once a minute: their number
 * since the last time, and the last of them.
 */
export class UnreadMessages {
  readonly #said: OnceAMinute;
  #last: UnreadMessage | undefined;

  constructor(log: Log) {
    this.#said = new OnceAMinute((messages) => {
      const { lsn, xid, prefix, reason } = this.#last!;
      log.warn(
        { messages, lsn: formatLsn(lsn), xid: String(xid >>> 0), prefix, reason },
        'Logical messages were not understood or not signed, so they name no modifier. The fields describe the last one.',
      );
    });
  }

  /** Number of messages so far. */
  get count(): number {
    return this.#said.count;
  }

  /** Counts a message, unless it was counted before. The stream may be read again from the checkpoint. */
  add(message: UnreadMessage): void {
    if (!isBehind(message, this.#last)) return;
    this.#last = message;
    this.#said.add();
  }

  /** Logs what was not logged yet. */
  stop(): void {
    this.#said.stop();
  }
}
