import type { Log } from '../log.js';
import { formatLsn, type Lsn } from '../pg/lsn.js';
import { OnceAMinute } from './once-a-minute.js';

/** A change of a row that takes its tenant from an unknown row. */
interface UnknownTenant {
  /** `schema.table` of the row that was changed. */
  readonly table: string;
  readonly commitLsn: Lsn;
  readonly xid: number;
  /** Index of the change in its transaction. */
  readonly seq: number;
}

/**
 * Counts changes whose entries have no tenant because the row that has it is unknown, and logs them at most
 * once a minute. Readers of one tenant do not see these entries, so an operator must know of them.
 */
export class UnknownTenants {
  readonly #said: OnceAMinute;
  #last: UnknownTenant | undefined;

  constructor(log: Log) {
    this.#said = new OnceAMinute((entries) => {
      const { table, commitLsn, xid } = this.#last!;
      log.warn(
        { entries, table, commitLsn: formatLsn(commitLsn), xid: String(xid >>> 0) },
        'Entries have no tenant, because the rows that have it are unknown. Readers of one tenant do not see these entries. The fields describe the last one.',
      );
    });
  }

  /** Number of changes so far. */
  get count(): number {
    return this.#said.count;
  }

  /** Counts a change, unless it was counted before. The stream may be read again from the checkpoint. */
  add(change: UnknownTenant): void {
    const last = this.#last;
    if (
      last !== undefined &&
      (change.commitLsn < last.commitLsn || (change.commitLsn === last.commitLsn && change.seq <= last.seq))
    )
      return;
    this.#last = change;
    this.#said.add();
  }

  /** Logs what was not logged yet. */
  stop(): void {
    this.#said.stop();
  }
}
