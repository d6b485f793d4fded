import type { Lsn } from '../pg/lsn.js';

/** A look at the source: where its WAL ended then, and the time by its clock. */
interface Look {
  readonly lsn: Lsn;
  /** RFC 3339. */
  readonly seenAt: string;
}

/**
 * Up to when the trail is current: the time of the last look at the source of which everything that its
 * WAL had is stored. The times of commits do not say so, for a source in which nothing is changed has none.
 */
export class Currency {
  #until: string | null = null;
  /** The oldest and the newest look of which something is not stored yet. Those between are not needed. */
  #waiting: { readonly first: Look; last: Look } | null = null;

  looked(look: Look): void {
    if (this.#waiting === null) this.#waiting = { first: look, last: look };
    else this.#waiting.last = look;
  }

  /** The time up to which everything is stored, RFC 3339; null: it is not known yet. */
  until(storedUntil: Lsn): string | null {
    const waiting = this.#waiting;
    if (waiting === null || waiting.first.lsn > storedUntil) return this.#until;
    const isCurrent = waiting.last.lsn <= storedUntil;
    this.#until = isCurrent ? waiting.last.seenAt : waiting.first.seenAt;
    this.#waiting = isCurrent ? null : { first: waiting.last, last: waiting.last };
    return this.#until;
  }
}
