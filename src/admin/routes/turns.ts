import { setTimeout as delay } from 'node:timers/promises';
import { WaltrailError } from '../../errors.js';
import type { Principal } from '../auth/tokens.js';

export interface TurnLimits {
  /** Pieces of work that run at the same time. */
  readonly atOnce: number;
  /** Places out of `atOnce` that are reserved for admins. */
  readonly forAdmins: number;
  /** Maximum number of places for one token. */
  readonly forToken: number;
  /** Maximum number of pieces of work of one token that wait. */
  readonly waiting: number;
}

/** The requester of a turn. */
export type Asker = Pick<Principal, 'tokenId' | 'role'>;

interface Waiting {
  readonly asker: Asker;
  readonly begin: () => void;
}

/** Seconds after which a token that has too much running may retry. */
const RETRY_AFTER_SECONDS = 1;
/**
 * Time for which a refusal is held back. A program may retry as soon as it is refused. Without this pause it
 * would be refused hundreds of times a second, which takes processor time from others.
 */
const REFUSAL_MS = 500;
/** Maximum number of refusals held back at the same time. Further ones are cheaper to answer than to hold. */
const MOST_REFUSALS = 200;

/**
 * Gives turns to work, so that no token takes the places of all others. Each token has a few places. The next
 * turn goes to the token with the least work running; among equals, to the oldest request. The work that
 * waits is limited for each token.
 */
export class Turns {
  readonly #limits: TurnLimits;
  readonly #running = new Map<string, number>();
  readonly #waiting = new Set<Waiting>();
  #total = 0;
  #refusals = 0;

  constructor(limits: TurnLimits) {
    this.#limits = limits;
  }

  /**
   * Runs `work` when it is its turn. Throws HTTP_TOKEN_BUSY, after a pause, if the token has too much running
   * and waiting. If `gone` rejects before the turn has come, throws the same error.
   */
  async run<T>(asker: Asker, work: () => Promise<T>, gone: Promise<never>): Promise<T> {
    await this.#turn(asker, gone);
    try {
      return await work();
    } finally {
      this.#count(asker, -1);
      this.#beginNext();
    }
  }

  async #turn(asker: Asker, gone: Promise<never>): Promise<void> {
    if (this.#isFree(asker)) return this.#count(asker, 1);
    const { forToken, waiting: most } = this.#limits;
    const own = [...this.#waiting].filter((other) => other.asker.tokenId === asker.tokenId).length;
    if (own >= most) {
      await this.#holdRefusal(gone);
      throw new WaltrailError(
        'HTTP_TOKEN_BUSY',
        `This token may have ${forToken} requests of this kind running; ${own} more are waiting.`,
        { details: { retryAfterSeconds: RETRY_AFTER_SECONDS } },
      );
    }
    let waiting: Waiting | undefined;
    const begun = new Promise<void>((begin) => this.#waiting.add((waiting = { asker, begin })));
    try {
      await Promise.race([begun, gone]);
    } catch (error) {
      // If the turn came at the same moment, it is given to the next.
      if (!this.#waiting.delete(waiting!)) {
        this.#count(asker, -1);
        this.#beginNext();
      }
      throw error;
    }
  }

  /** Waits before a refusal. If `gone` rejects before the time is over, throws the same error. */
  async #holdRefusal(gone: Promise<never>): Promise<void> {
    if (this.#refusals >= MOST_REFUSALS) return;
    this.#refusals += 1;
    const end = new AbortController();
    try {
      await Promise.race([delay(REFUSAL_MS, undefined, { signal: end.signal, ref: false }), gone]);
    } finally {
      end.abort();
      this.#refusals -= 1;
    }
  }

  #beginNext(): void {
    for (;;) {
      let next: Waiting | undefined;
      for (const waiting of this.#waiting)
        if (
          this.#isFree(waiting.asker) &&
          (next === undefined || this.#of(waiting.asker) < this.#of(next.asker))
        )
          next = waiting;
      if (next === undefined) return;
      this.#waiting.delete(next);
      this.#count(next.asker, 1);
      next.begin();
    }
  }

  #isFree(asker: Asker): boolean {
    const { atOnce, forAdmins, forToken } = this.#limits;
    const places = asker.role === 'admin' ? atOnce : atOnce - forAdmins;
    return this.#total < places && this.#of(asker) < forToken;
  }

  #of({ tokenId }: Asker): number {
    return this.#running.get(tokenId) ?? 0;
  }

  #count(asker: Asker, change: 1 | -1): void {
    this.#total += change;
    const running = this.#of(asker) + change;
    if (running === 0) this.#running.delete(asker.tokenId);
    else this.#running.set(asker.tokenId, running);
  }
}
