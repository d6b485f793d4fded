import { GIVE_UP_TICKS } from '../pg/silence.js';

/**
 * Cancels the opening of a session by destroying its connections, if one step takes too long or the session
 * is no longer wanted.
 */
export class Opening {
  readonly #abort = new AbortController();
  readonly #wanted: AbortSignal;
  readonly #limitMs: number;
  readonly #giveUp = (): void => this.#abort.abort();

  constructor(options: { readonly signal: AbortSignal; readonly tickMs: number }) {
    this.#wanted = options.signal;
    this.#limitMs = GIVE_UP_TICKS * options.tickMs;
    if (this.#wanted.aborted) this.#giveUp();
    this.#wanted.addEventListener('abort', this.#giveUp, { once: true });
  }

  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  /**
   * Runs a step with a time limit. Beginning a trail has no limit, because a new slot waits for the
   * transactions that run on the source.
   */
  async step<T>(run: () => Promise<T>): Promise<T> {
    const limit = setTimeout(this.#giveUp, this.#limitMs);
    try {
      return await run();
    } finally {
      clearTimeout(limit);
    }
  }

  done(): void {
    this.#wanted.removeEventListener('abort', this.#giveUp);
  }
}
