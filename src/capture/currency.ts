import type { Lsn } from '../pg/lsn.js';

/** A look at the source: the end of its WAL, and the time by its clock. */
interface Look {
  readonly lsn: Lsn;
  /** Time in RFC 3339. */
  readonly seenAt: string;
}

/**
 * Finds the time up to which the trail is current. This is the time of the last look at the source whose WAL
 * is stored completely. Commit times do not show it, because a source without changes has none.
 */
export class Currency {
  #until: string | null = null;
  /** The oldest and the newest look whose WAL is not stored completely. Those between are not needed. */
  #waiting: { readonly first: Look; last: Look } | null = null;
  #sourceLsn: Lsn = 0n;

  /** The end of the source's WAL at the last look; 0: none yet. */
  get sourceLsn(): Lsn {
    return this.#sourceLsn;
  }

  looked(look: Look): void {
    this.#sourceLsn = look.lsn;
    if (this.#waiting === null) this.#waiting = { first: look, last: look };
    else this.#waiting.last = look;
  }

  /** Returns the time up to which everything is stored, RFC 3339; null: not known yet. */
  until(storedUntil: Lsn): string | null {
    const waiting = this.#waiting;
    if (waiting === null || waiting.first.lsn > storedUntil) return this.#until;
    const isCurrent = waiting.last.lsn <= storedUntil;
    this.#until = isCurrent ? waiting.last.seenAt : waiting.first.seenAt;
    this.#waiting = isCurrent ? null : { first: waiting.last, last: waiting.last };
    return this.#until;
  }
}
