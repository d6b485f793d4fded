import { TICK_MS } from '../pg/silence.js';

/** How often capture checks things, and how long it waits, in milliseconds. */
export interface Pace {
  /**
   * Interval between two checks whether source and trail still answer. Twelve checks without an answer end a
   * session. Also the wait between two attempts after an error that an operator has to resolve.
   */
  readonly tickMs: number;
  /** Interval between two looks at the publication and the tracked tables. */
  readonly lookMs: number;
  /** Time after which a repeated error is taken to need a person. */
  readonly patienceMs: number;
}

/**
 * The pace of a daemon. Looks are frequent enough that a change to a table is in the trail within five
 * seconds. This includes the work that follows a look.
 */
export const PACE: Pace = { tickMs: TICK_MS, lookMs: 2_000, patienceMs: 20_000 };
