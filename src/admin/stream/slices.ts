import type { LiveTrail } from './live.js';
import { Lane, type Owner } from './lane.js';

interface Waiting {
  readonly owner: Owner;
  readonly begin: () => void;
}

/**
 * Gives processor time to long reads slice by slice. A slice is one statement of such a read. A search, or a
 * listener that catches up, keeps a processor of PostgreSQL busy from its first row to its last. If one ran
 * for each processor, every short read would wait at each of its steps. The owner that has used least time
 * comes first, so nobody waits until somebody else's search has ended.
 */
export class Slices {
  readonly #lane: Lane;
  readonly #waiting = new Set<Waiting>();

  /** `atOnce`: slices that run at the same time, for all owners together. */
  constructor({ atOnce }: { readonly atOnce: number }) {
    this.#lane = new Lane({ atOnce, forOwner: atOnce });
  }

  /** Runs one slice when it is its turn. If `gone` rejects before that, rejects with the same error. */
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

/** Returns a trail for listeners that catch up. Each of its reads is a slice. */
export const sliced = (trail: Pick<LiveTrail, 'after'>, slices: Slices): Pick<LiveTrail, 'after'> => ({
  after: (filter, options) => slices.run(options.owner, () => trail.after(filter, options)),
});
