const INTERVAL_MS = 60_000;

/**
 * Counts events that users of the source can cause without limit, and reports them at most once a minute, so
 * that they cannot fill a disk with log.
 */
export class OnceAMinute {
  readonly #say: (sinceLast: number) => void;
  #count = 0;
  #said = 0;
  /** Runs for a minute after each report. */
  #timer: NodeJS.Timeout | undefined;

  /** @param say gets the number of events since the last report */
  constructor(say: (sinceLast: number) => void) {
    this.#say = say;
  }

  /** Number of events so far. */
  get count(): number {
    return this.#count;
  }

  add(): void {
    this.#count++;
    if (this.#timer === undefined) this.#sayNow();
  }

  /** Reports what was not reported yet, and stops the timer. */
  stop(): void {
    clearTimeout(this.#timer);
    if (this.#count > this.#said) this.#sayNow();
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #sayNow(): void {
    this.#say(this.#count - this.#said);
    this.#said = this.#count;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      if (this.#count > this.#said) this.#sayNow();
    }, INTERVAL_MS);
    this.#timer.unref();
  }
}
