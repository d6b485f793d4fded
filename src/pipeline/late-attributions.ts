import type { Lsn } from '../pg/lsn.js';
import type { Statement } from './statement.js';
import type { TransactionWitnesses } from './witness-facts.js';

/** The first message of a transaction that says who made changes. */
export interface FirstMessage {
  readonly lsn: Lsn;
  readonly statement: Statement;
}

/** What the witnesses of a transaction say, by the rules of a configuration. */
export interface LateWitnesses {
  readonly witnesses: TransactionWitnesses;
  /** Digest of the configuration. */
  readonly configuration: string;
}

/**
 * What was found of transactions after rows of theirs had left for the trail, by commit LSN: they are read
 * again with it, so it outlives the session.
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

  /** What is before `lsn` will not be read again. */
  stored(lsn: Lsn): void {
    for (const kept of [this.#messages, this.#witnesses])
      for (const commitLsn of kept.keys()) if (commitLsn < lsn) kept.delete(commitLsn);
  }
}
