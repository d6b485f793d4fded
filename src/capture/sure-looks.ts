import type { Lsn } from '../pg/lsn.js';

/** The time of a look: the position of the WAL before it, and the transactions that were running. */
export interface LookTime {
  readonly lsn: Lsn;
  readonly running: readonly string[];
}

/**
 * Finds, for each table, the position up to which good looks are certain. A gap that the next look finds
 * begins there.
 *
 * A commit may be in the WAL, and be decoded, before any session can see it. So a look may show the state
 * from before the commit. If a change is in the WAL before the position of a look, and the look did not see
 * it, its transaction was running then. Once all those transactions have ended and a later look sees the
 * table unchanged, there was no such change. A change of one table says nothing about the others, so frequent
 * new tables do not hold back their positions.
 */
export class SureLooks {
  #lsn: Lsn;
  /** A later look. It becomes certain when the transactions that were running have ended. */
  #unsure: LookTime | undefined;
  /** Tables that have changed since, with their certain position and the look that saw the change. */
  readonly #held = new Map<string, { readonly from: Lsn; readonly seenAt: Lsn }>();

  constructor(lsn: Lsn) {
    this.#lsn = lsn;
  }

  /** The position that is certain for every table. */
  get lsn(): Lsn {
    let least = this.#lsn;
    for (const { from } of this.#held.values()) if (from < least) least = from;
    return least;
  }

  /** Returns the position that is certain for one table. */
  of(table: string): Lsn {
    return this.#held.get(table)?.from ?? this.#lsn;
  }

  /**
   * Takes over another look.
   *
   * @param changed the tables that this look and the one before saw in different states
   */
  looked({ lsn, running }: LookTime, changed: Iterable<string>): void {
    // Done before anything is confirmed: a change that this look sees may have been in the WAL at the last
    // look.
    for (const table of changed) this.#held.set(table, { from: this.of(table), seenAt: lsn });
    const unsure = this.#unsure;
    if (unsure?.running.some((xid) => running.includes(xid)) !== true) {
      if (unsure !== undefined) this.#confirm(unsure.lsn);
      this.#unsure = { lsn, running };
    }
  }

  #confirm(lsn: Lsn): void {
    this.#lsn = lsn;
    for (const [table, { seenAt }] of this.#held) if (seenAt <= lsn) this.#held.delete(table);
  }
}
