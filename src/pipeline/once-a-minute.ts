const INTERVAL_MS = 60_000;

/**
 * Counts what users of the source can bring about as often as they like, and says it at most once a minute:
 * none of it must fill a disk with log.
 */
export class OnceAMinute {
  readonly #say: (sinceLast: number) => void;
  #count = 0;
  #said = 0;
  /** Runs for a minute after each time. */
  #timer: NodeJS.Timeout | undefined;

  /** @param say is told how many there were since the last time */
  constructor(say: (sinceLast: number) => void) {
    this.#say = say;
  }

  /** So far. */
  get count(): number {
    return this.#count;
  }

  add(): void {
    this.#count++;
    if (this.#timer === undefined) this.#sayNow();
  }

  /** Says what was not said yet. */
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
