import { TICK_MS } from '../pg/silence.js';

/** How often capture looks, and how long it waits, in milliseconds. */
export interface Pace {
  /**
   * Between two checks whether source and trail still answer; twelve without an answer end a session. Also
   * between two tries after an operator's error.
   */
  readonly tickMs: number;
  /** Between two looks at the publication and the tracked tables. */
  readonly lookMs: number;
  /** Time after which an error that is met again and again is taken not to pass by itself. */
  readonly patienceMs: number;
}

/**
 * The pace of a daemon. Looks are so frequent that what happens to a table is in the trail within five
 * seconds, including what follows a look.
 */
export const PACE: Pace = { tickMs: TICK_MS, lookMs: 2_000, patienceMs: 20_000 };
