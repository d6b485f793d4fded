import type { Lsn } from '../pg/lsn.js';

/** When a look was: the position of the WAL before it, and the transactions that ran then. */
export interface LookTime {
  readonly lsn: Lsn;
  readonly running: readonly string[];
}

/**
 * Up to which position good looks surely speak, for each table: a gap that the next look finds begins there.
 *
 * A commit may be in the WAL, and decoded, before anybody can see it, so a look may show the state from
 * before it. What is in the WAL before the position of a look, and not in what it saw, belongs to a
 * transaction that ran then. Once those have ended and a later look sees a table as it was, there was no such
 * change of it. A change of one table says nothing about the others, so that tables which are made all the
 * time keep no position from moving on.
 */
export class SureLooks {
  #lsn: Lsn;
  /** A later look, for which transactions have to end. */
  #unsure: LookTime | undefined;
  /**
   * Tables that have changed since: the position that is sure for them, and the look that has seen the
   * change.
   */
  readonly #held = new Map<string, { readonly from: Lsn; readonly seenAt: Lsn }>();

  constructor(lsn: Lsn) {
    this.#lsn = lsn;
  }

  /** Sure for every table. */
  get lsn(): Lsn {
    let least = this.#lsn;
    for (const { from } of this.#held.values()) if (from < least) least = from;
    return least;
  }

  /** Sure for one table. */
  of(table: string): Lsn {
    return this.#held.get(table)?.from ?? this.#lsn;
  }

  /** Another look. `changed` are the tables that it saw in another state than the one before. */
  looked({ lsn, running }: LookTime, changed: Iterable<string>): void {
    // Before anything is confirmed: what this look sees changed may have been so in the WAL at the last one.
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
