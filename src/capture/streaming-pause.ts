const FIRST_STRETCH_MS = 5_000;
const LONGEST_STRETCH_MS = 600_000;

/**
 * How long transactions are read when they have committed, once one could not be read while it ran. Going
 * back to streaming takes two sessions, so a source that makes many such transactions is read whole for
 * longer each time: every stretch is twice as long as the one before, until streaming has lasted for the
 * longest stretch. Times are those of `performance.now()`.
 */
export class StreamingPause {
  #until: number | null = null;
  #stretchMs = 0;
  #endedAt = -Infinity;

  /** Transactions are read whole until this moment at least; null: they are streamed. */
  get until(): number | null {
    return this.#until;
  }

  /** A transaction has to be read whole. */
  begin(now: number): void {
    this.#stretchMs =
      now - this.#endedAt < LONGEST_STRETCH_MS
        ? Math.min(this.#stretchMs * 2, LONGEST_STRETCH_MS)
        : FIRST_STRETCH_MS;
    this.#until = now + this.#stretchMs;
  }

  /** Transactions are streamed again, if they were not. */
  end(now: number): void {
    if (this.#until === null) return;
    this.#until = null;
    this.#endedAt = now;
  }
}
