/** Milliseconds between two ticks. At each tick, a connection is checked for a sign of life. */
export const TICK_MS = 5_000;
/** Ticks without a sign of life after which the other side is asked for one. */
const ASK_TICKS = 4;
/**
 * Ticks without a sign of life after which a connection is given up. They make one minute, as in PostgreSQL's
 * own receivers.
 */
export const GIVE_UP_TICKS = 12;

/**
 * Distinguishes a quiet connection from a dead one. It counts ticks and does not measure time. A process that
 * was suspended and continues (SIGSTOP, a suspended machine) therefore counts a single tick, and reads what
 * has arrived before it gives up.
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
