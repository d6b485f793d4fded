import { WaltrailError } from '../../errors.js';
import { networkOf } from './network.js';

/**
 * Failed attempts of one address in a minute. After them, the address is told to wait. 256 bits cannot be
 * guessed: the limit protects the database from the load of guesses. Only failures count, because many people
 * may share one address.
 */
const FAILURES = 30;
const WINDOW_MS = 60_000;
/** Addresses that are remembered. The oldest is forgotten first, because addresses can be invented. */
const ADDRESSES = 1_000;
/** Secrets that wait to be looked up one after the other, because their address has too many failures. */
const WAITING = 100;
/** Secrets of other addresses that are looked up at the same time. Most connections are for other work. */
const AT_ONCE = 2;

interface Failures {
  count: number;
  /** By the clock of `performance`, which never jumps. */
  readonly until: number;
}

/** Counts failed attempts by address, of sign-ins and of tokens alike. */
export class FailedAttempts {
  readonly #failures = new Map<string, Failures>();
  #queue: Promise<unknown> = Promise.resolve();
  #waiting = 0;
  #atWork = 0;
  readonly #turns: (() => void)[] = [];

  /**
   * Looks up a secret that may be a guess. If its address has too many failures, it is still looked up, but
   * only one at a time: an honest user may share the address with a guesser. In that case, throws
   * HTTP_TOO_MANY_REQUESTS instead of returning undefined.
   */
  async lookUp<T>(address: string, find: () => Promise<T | undefined>): Promise<T | undefined> {
    const network = networkOf(address);
    const counted = (): Promise<T | undefined> => this.#counted(network, find);
    const looked = await this.fewAtOnce(async () => {
      // Decided only here, when it is this secret's turn: the failures of those before it then count.
      const known = this.#known(network);
      const isOver = known !== undefined && known.count >= FAILURES;
      return isOver ? { over: known } : { over: undefined, found: await counted() };
    });
    if (looked.over === undefined) return looked.found;
    const found = await this.#oneAtATime(counted, looked.over);
    if (found === undefined) throw tooMany(looked.over);
    return found;
  }

  /** Looks up what may be a guess but is not counted, such as a cookie. */
  async fewAtOnce<T>(find: () => Promise<T>): Promise<T> {
    if (this.#atWork >= AT_ONCE) await new Promise<void>((begin) => this.#turns.push(begin));
    else this.#atWork += 1;
    try {
      return await find();
    } finally {
      const next = this.#turns.shift();
      if (next === undefined) this.#atWork -= 1;
      else next();
    }
  }

  async #counted<T>(network: string, find: () => Promise<T | undefined>): Promise<T | undefined> {
    const found = await find();
    if (found === undefined) this.#fail(network);
    return found;
  }

  #known(network: string): Failures | undefined {
    const known = this.#failures.get(network);
    if (known === undefined || known.until > performance.now()) return known;
    this.#failures.delete(network);
    return undefined;
  }

  #fail(network: string): void {
    const known = this.#known(network);
    if (known !== undefined) {
      known.count += 1;
      return;
    }
    if (this.#failures.size >= ADDRESSES) {
      const [oldest] = this.#failures.keys();
      this.#failures.delete(oldest!);
    }
    this.#failures.set(network, { count: 1, until: performance.now() + WINDOW_MS });
  }

  async #oneAtATime<T>(find: () => Promise<T>, known: Failures): Promise<T> {
    if (this.#waiting >= WAITING) throw tooMany(known);
    this.#waiting += 1;
    const turn = this.#queue.then(find);
    this.#queue = turn.catch(() => undefined);
    try {
      return await turn;
    } finally {
      this.#waiting -= 1;
    }
  }
}

function tooMany({ until }: Failures): WaltrailError {
  const retryAfterSeconds = Math.max(Math.ceil((until - performance.now()) / 1000), 1);
  return new WaltrailError('HTTP_TOO_MANY_REQUESTS', 'Too many failed attempts from this address.', {
    details: { retryAfterSeconds },
  });
}
