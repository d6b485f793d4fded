/** Who a listener belongs to: limits and turns are by owner. */
export type Owner = string;

/**
 * How long the time that was spent on an owner counts. Whoever opens its streams again and again is the same
 * owner, so nothing is gained by it.
 */
const MEMORY_MS = 60_000;
/** How far an owner may be ahead of the one with the least time: the longest that it ever has to wait. */
const MOST_AHEAD_MS = 10_000;

/**
 * Reads that run at the same time, with turns by the time that each owner has taken. The owner that has taken
 * least comes first: a slow search is followed by many quick reads of the others. An owner who was away is
 * not credited for it.
 */
export class Lane {
  readonly #atOnce: number;
  readonly #forOwner: number;
  readonly #running = new Map<Owner, number>();
  /** By owner; owners are holders of tokens, and those who are gone for {@link MEMORY_MS} are forgotten. */
  readonly #spent = new Map<Owner, { ms: number; at: number }>();

  /** `atOnce`: reads of all owners; `forOwner`: those of one of them. */
  constructor(options: { readonly atOnce: number; readonly forOwner: number }) {
    this.#atOnce = options.atOnce;
    this.#forOwner = options.forOwner;
  }

  /** Returns the one of the waiting listeners whose turn it is; undefined if none may begin now. */
  next<T extends { readonly owner: Owner }>(waiting: Iterable<T>): T | undefined {
    let running = 0;
    for (const count of this.#running.values()) running += count;
    if (running >= this.#atOnce) return undefined;
    let best: { readonly listener: T; readonly ms: number } | undefined;
    for (const listener of waiting) {
      if ((this.#running.get(listener.owner) ?? 0) >= this.#forOwner) continue;
      const ms = this.#spent.get(listener.owner)?.ms ?? 0;
      if (best === undefined || ms < best.ms) best = { listener, ms };
    }
    return best?.listener;
  }

  /** Runs one read and charges its time to the owner. */
  async run<T>(owner: Owner, read: () => Promise<T>): Promise<T> {
    this.#running.set(owner, (this.#running.get(owner) ?? 0) + 1);
    const began = performance.now();
    try {
      return await read();
    } finally {
      const running = this.#running.get(owner)! - 1;
      if (running === 0) this.#running.delete(owner);
      else this.#running.set(owner, running);
      this.#charge(owner, performance.now() - began);
    }
  }

  #charge(owner: Owner, ms: number): void {
    const now = Date.now();
    for (const [other, { at }] of this.#spent) if (at < now - MEMORY_MS) this.#spent.delete(other);
    const least = this.#least();
    const spent = (this.#spent.get(owner)?.ms ?? least) + ms;
    this.#spent.set(owner, { ms: Math.min(spent, least + MOST_AHEAD_MS), at: now });
  }

  /** Returns the least time that was spent on a known owner: where one that comes begins. */
  #least(): number {
    let least = Infinity;
    for (const { ms } of this.#spent.values()) least = Math.min(least, ms);
    return least === Infinity ? 0 : least;
  }
}
