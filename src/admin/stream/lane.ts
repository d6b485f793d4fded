/** The owner of a listener. Limits and turns are by owner. */
export type Owner = string;

/**
 * Time for which an owner's spent time is remembered. Opening streams again does not reset it, because the
 * owner stays the same.
 */
const MEMORY_MS = 60_000;
/** Maximum of an owner's spent time above the least one. It bounds the time that the owner has to wait. */
const MOST_AHEAD_MS = 10_000;

/**
 * Runs reads at the same time, with turns by the time that each owner has used. The owner that has used least
 * comes first, so a slow search is followed by many quick reads of others. An owner that was absent gets no
 * credit for that time.
 */
export class Lane {
  readonly #atOnce: number;
  readonly #forOwner: number;
  readonly #running = new Map<Owner, number>();
  /** Time spent, by owner (a holder of a token). Forgotten after {@link MEMORY_MS} without a read. */
  readonly #spent = new Map<Owner, { ms: number; at: number }>();

  /** `atOnce`: reads of all owners; `forOwner`: those of one of them. */
  constructor(options: { readonly atOnce: number; readonly forOwner: number }) {
    this.#atOnce = options.atOnce;
    this.#forOwner = options.forOwner;
  }

  /** Returns the waiting listener that is next. Undefined if none may begin now. */
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
    const now = performance.now();
    for (const [other, { at }] of this.#spent) if (at < now - MEMORY_MS) this.#spent.delete(other);
    const least = this.#least();
    const spent = (this.#spent.get(owner)?.ms ?? least) + ms;
    this.#spent.set(owner, { ms: Math.min(spent, least + MOST_AHEAD_MS), at: now });
  }

  /** Returns the least time spent on a known owner. A new owner starts with it. */
  #least(): number {
    let least = Infinity;
    for (const { ms } of this.#spent.values()) least = Math.min(least, ms);
    return least === Infinity ? 0 : least;
  }
}
