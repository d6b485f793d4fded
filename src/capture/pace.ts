import { TICK_MS } from '../pg/silence.js';

/** How often capture looks, and how long it waits, in milliseconds. */
export interface Pace {
  /**
   * Between two looks whether source and trail still answer; twelve in vain end a session. Also between two
   * tries after an operator's error.
   */
  readonly tickMs: number;
  /** Between two looks at the publication and the tracked tables. */
  readonly lookMs: number;
  /** An error that is met again and again for as long as this is not gone by itself. */
  readonly patienceMs: number;
}

/**
 * That of a daemon. Looks are so frequent that what befalls a table is in the trail within five seconds, with
 * what follows a look.
 */
export const PACE: Pace = { tickMs: TICK_MS, lookMs: 2_000, patienceMs: 20_000 };
