/** Milliseconds between two ticks, each a check of a connection for a sign of life. */
export const TICK_MS = 5_000;
/** Ticks without a sign of life after which the other side is asked for one. */
const ASK_TICKS = 4;
/**
 * Ticks without a sign of life after which a connection is given up: a minute, as in PostgreSQL's own
 * receivers.
 */
export const GIVE_UP_TICKS = 12;

/**
 * Tells a quiet connection from a dead one. It counts ticks and does not measure time: a process that was
 * stopped and continues (SIGSTOP, a suspended machine) counts a single tick, and reads what has arrived
 * before it judges.
 */
export class Silence {
  #ticks = 0;

  /** The other side was heard, or nothing is expected of it. */
  heard(): void {
    this.#ticks = 0;
  }

  /** Counts one tick, and returns what to do now. */
  tick(): 'wait' | 'ask' | 'give up' {
    this.#ticks++;
    if (this.#ticks >= GIVE_UP_TICKS) return 'give up';
    return this.#ticks >= ASK_TICKS ? 'ask' : 'wait';
  }
}
