import type { DeliveredEntries } from '../auth/access.js';

/** Counts what one live stream has delivered since the last row of the access record. */
export class Delivery {
  #entries = 0;
  #after: string;
  #through: string;

  /** `position`: the id after which the stream begins. */
  constructor(position: string) {
    this.#after = position;
    this.#through = position;
  }

  /** The id up to which every matching entry was delivered. */
  get position(): string {
    return this.#through;
  }

  delivered(id: string): void {
    this.#entries += 1;
    this.#through = id;
  }

  reached(position: string): void {
    this.#through = position;
  }

  /** Returns what was delivered, and starts to count again. Undefined if nothing was delivered. */
  take(): DeliveredEntries | undefined {
    if (this.#entries === 0) return undefined;
    const taken = { entries: this.#entries, after: this.#after, through: this.#through };
    this.#entries = 0;
    this.#after = this.#through;
    return taken;
  }
}
