const FIRST_STRETCH_MS = 5_000;
const LONGEST_STRETCH_MS = 600_000;

/**
 * Decides how long transactions are read whole, after their commit, once a transaction could not be read
 * while it ran. Returning to streaming takes two sessions, so each stretch is twice as long as the one
 * before. The length is reset once streaming has lasted for the longest stretch. Times are those of
 * `performance.now()`.
 */
export class StreamingPause {
  #until: number | null = null;
  #stretchMs = 0;
  #endedAt = -Infinity;

  /** Earliest moment at which transactions may be streamed again; null: they are streamed. */
  get until(): number | null {
    return this.#until;
  }

  /** Notes that a transaction has to be read whole. */
  begin(now: number): void {
    this.#stretchMs =
      now - this.#endedAt < LONGEST_STRETCH_MS
        ? Math.min(this.#stretchMs * 2, LONGEST_STRETCH_MS)
        : FIRST_STRETCH_MS;
    this.#until = now + this.#stretchMs;
  }

  /** Notes that transactions are streamed again. Does nothing if they were streamed already. */
  end(now: number): void {
    if (this.#until === null) return;
    this.#until = null;
    this.#endedAt = now;
  }
}
