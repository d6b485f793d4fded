import type { Log } from '../log.js';
import { formatLsn, type Lsn } from '../pg/lsn.js';
import { OnceAMinute } from './once-a-minute.js';

/** A change of a row whose tenant is that of another row, which is not known. */
interface UnknownTenant {
  /** `schema.table` of the row that was changed. */
  readonly table: string;
  readonly commitLsn: Lsn;
  readonly xid: number;
  /** Index of the change in its transaction. */
  readonly seq: number;
}

/**
 * Counts changes whose entries have no tenant because the row that has it is not known, and logs them at most
 * once a minute: no reader of one tenant sees these entries, so somebody has to be told.
 */
export class UnknownTenants {
  readonly #said: OnceAMinute;
  #last: UnknownTenant | undefined;

  constructor(log: Log) {
    this.#said = new OnceAMinute((entries) => {
      const { table, commitLsn, xid } = this.#last!;
      log.warn(
        { entries, table, commitLsn: formatLsn(commitLsn), xid: String(xid >>> 0) },
        'Entries have no tenant: the rows that have it are not known, so readers of one tenant do not see them. This is the last one.',
      );
    });
  }

  /** So far. */
  get count(): number {
    return this.#said.count;
  }

  /** Counts a change, unless it was counted before: the stream is read again from the checkpoint. */
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
