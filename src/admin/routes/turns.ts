import { setTimeout as delay } from 'node:timers/promises';
import { WaltrailError } from '../../errors.js';
import type { Principal } from '../auth/tokens.js';

export interface TurnLimits {
  /** Works that run at the same time. */
  readonly atOnce: number;
  /** Of these, the last ones that only admins get. */
  readonly forAdmins: number;
  /** Of these, for one token at most. */
  readonly forToken: number;
  /** Works of one token that wait beside them. */
  readonly waiting: number;
}

/** Who asks for a turn. */
export type Asker = Pick<Principal, 'tokenId' | 'role'>;

interface Waiting {
  readonly asker: Asker;
  readonly begin: () => void;
}

/** When a token that has too much running may ask again. */
const RETRY_AFTER_SECONDS = 1;
/**
 * How long a refusal waits. A program that asks again as soon as it is refused would otherwise be refused
 * hundreds of times a second, which takes the processor that the pages of others need.
 */
const REFUSAL_MS = 500;
/** Refusals that wait at the same time; further ones are cheaper to answer than to hold. */
const MOST_REFUSALS = 200;

/**
 * Hands out turns to work, so that no token takes the place of all others: each has a few places, and what
 * waits comes by who has least running, then by when it was asked for. What waits is bounded for each token.
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
   * Runs `work` when it is its turn. Throws HTTP_TOKEN_BUSY, after a moment, if the token has too much
   * running and waiting, and what `gone` rejects with if that happens before the turn has come.
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
        `This token has ${forToken} requests of this kind at work at most, and ${own} wait.`,
        { details: { retryAfterSeconds: RETRY_AFTER_SECONDS } },
      );
    }
    let waiting: Waiting | undefined;
    const begun = new Promise<void>((begin) => this.#waiting.add((waiting = { asker, begin })));
    try {
      await Promise.race([begun, gone]);
    } catch (error) {
      // The turn may have come in the same moment; it is handed on.
      if (!this.#waiting.delete(waiting!)) {
        this.#count(asker, -1);
        this.#beginNext();
      }
      throw error;
    }
  }

  /** Throws what `gone` rejects with if that happens before. */
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
