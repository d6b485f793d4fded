import type { Log } from '../log.js';
import { formatLsn } from '../pg/lsn.js';
import { isBehind, type MessagePlace } from './message-place.js';
import type { Unread } from './statement.js';

/** A logical message that should say who made changes and was not understood, or not signed. */
export interface UnreadMessage extends MessagePlace {
  readonly xid: number;
  readonly prefix: string;
  readonly reason: Unread;
}

/** Anybody who may log in to the source can send as many as they like: none must fill a disk with log. */
const LOG_INTERVAL_MS = 60_000;

/**
 * Counts messages that were not understood or not signed, and logs them at most once a minute: how many since
 * the last time, and the last of them.
 */
export class UnreadMessages {
  readonly #log: Log;
  #count = 0;
  #logged = 0;
  #last: UnreadMessage | undefined;
  /** Runs for a minute after each line. */
  #timer: NodeJS.Timeout | undefined;

  constructor(log: Log) {
    this.#log = log;
  }

  /** So far. */
  get count(): number {
    return this.#count;
  }

  /** Counts a message, unless it was counted before: the stream is read again from the checkpoint. */
  add(message: UnreadMessage): void {
    if (!isBehind(message, this.#last)) return;
    this.#count++;
    this.#last = message;
    if (this.#timer === undefined) this.#say();
  }

  /** Logs what was not logged yet. */
  stop(): void {
    clearTimeout(this.#timer);
    if (this.#count > this.#logged) this.#say();
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #say(): void {
    const { lsn, xid, prefix, reason } = this.#last!;
    this.#log.warn(
      { messages: this.#count - this.#logged, lsn: formatLsn(lsn), xid: String(xid >>> 0), prefix, reason },
      'Logical messages were not understood, or not signed: they name nobody. This is the last one.',
    );
    this.#logged = this.#count;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      if (this.#count > this.#logged) this.#say();
    }, LOG_INTERVAL_MS);
    this.#timer.unref();
  }
}
