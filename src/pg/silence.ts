/** Between two looks at a connection, in milliseconds. */
export const TICK_MS = 5_000;
/** Looks without a sign of life after which the other side is asked for one. */
const ASK_TICKS = 4;
/**
 * Looks without a sign of life after which a connection is given up: a minute, as PostgreSQL's own receivers
 * have it.
 */
export const GIVE_UP_TICKS = 12;

/**
 * Tells a connection that is quiet from one that is dead. Counted in looks, not by the clock: a process that
 * was stopped and goes on (SIGSTOP, a suspended machine) sees a single look pass, and reads what has arrived
 * before it judges.
 */
export class Silence {
  #ticks = 0;

  /** The other side was heard, or nothing is expected of it. */
  heard(): void {
    this.#ticks = 0;
  }

  /** One look has passed. */
  tick(): 'wait' | 'ask' | 'give up' {
    this.#ticks++;
    if (this.#ticks >= GIVE_UP_TICKS) return 'give up';
    return this.#ticks >= ASK_TICKS ? 'ask' : 'wait';
  }
}
