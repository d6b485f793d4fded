import type { Lsn } from '../pg/lsn.js';
import type { Statement } from './statement.js';
import type { TransactionWitnesses } from './witness-facts.js';

/** The first message of a transaction that states who made changes. */
export interface FirstMessage {
  readonly lsn: Lsn;
  readonly statement: Statement;
}

/** What the witnesses of a transaction state, by the rules of one configuration. */
export interface LateWitnesses {
  readonly witnesses: TransactionWitnesses;
  /** Digest of the configuration. */
  readonly configuration: string;
}

/**
 * Attributions that were found after rows of their transaction had been sent to the trail, by commit LSN.
 * These transactions are read again with them, so this object outlives the session.
 */
export class LateAttributions {
  readonly #messages = new Map<Lsn, FirstMessage>();
  readonly #witnesses = new Map<Lsn, LateWitnesses>();

  messageOf(commitLsn: Lsn): FirstMessage | null {
    return this.#messages.size === 0 ? null : (this.#messages.get(commitLsn) ?? null);
  }

  witnessesOf(commitLsn: Lsn): LateWitnesses | null {
    return this.#witnesses.size === 0 ? null : (this.#witnesses.get(commitLsn) ?? null);
  }

  keepMessage(commitLsn: Lsn, message: FirstMessage): void {
    this.#messages.set(commitLsn, message);
  }

  keepWitnesses(commitLsn: Lsn, witnesses: LateWitnesses): void {
    this.#witnesses.set(commitLsn, witnesses);
  }

  /** Drops what was kept for transactions before `lsn`, which are not read again. */
  stored(lsn: Lsn): void {
    for (const kept of [this.#messages, this.#witnesses])
      for (const commitLsn of kept.keys()) if (commitLsn < lsn) kept.delete(commitLsn);
  }
}
