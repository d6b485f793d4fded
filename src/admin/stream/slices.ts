import type { LiveTrail } from './live.js';
import { Lane, type Owner } from './lane.js';

interface Waiting {
  readonly owner: Owner;
  readonly begin: () => void;
}

/**
 * Lets long reads have the processors slice by slice. A search and a listener that catches up keep a
 * processor of PostgreSQL busy from their first row to their last; with as many of them at work as there are
 * processors, everything that is short waits at each of its steps. A slice is one of their statements. The
 * owner that has taken least time comes first, so nobody waits for somebody else's search to end.
 */
export class Slices {
  readonly #lane: Lane;
  readonly #waiting = new Set<Waiting>();

  /** `atOnce`: slices of all owners. */
  constructor({ atOnce }: { readonly atOnce: number }) {
    this.#lane = new Lane({ atOnce, forOwner: atOnce });
  }

  /** Runs one slice when it is its turn. Rejects with what `gone` rejects with if that happens before. */
  run<T>(owner: Owner, slice: () => Promise<T>, gone?: Promise<never>): Promise<T> {
    return new Promise((resolve, reject) => {
      const waiting: Waiting = {
        owner,
        begin: () => {
          this.#waiting.delete(waiting);
          resolve(this.#lane.run(owner, slice).finally(() => this.#beginNext()));
        },
      };
      this.#waiting.add(waiting);
      gone?.catch((error: Error) => {
        if (this.#waiting.delete(waiting)) reject(error);
      });
      this.#beginNext();
    });
  }

  #beginNext(): void {
    for (let next = this.#lane.next(this.#waiting); next !== undefined; next = this.#lane.next(this.#waiting))
      next.begin();
  }
}

/** Reads of those who catch up, each of which is a slice. */
export const sliced = (trail: Pick<LiveTrail, 'after'>, slices: Slices): Pick<LiveTrail, 'after'> => ({
  after: (filter, options) => slices.run(options.owner, () => trail.after(filter, options)),
});
