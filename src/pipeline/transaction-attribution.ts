import { formatLsn, type Lsn } from '../pg/lsn.js';
import type { LogicalMessage } from '../pgoutput/reader.js';
import type { TrackingConfig } from '../tracking/rules.js';
import type { Attribution } from './attribution.js';
import { UNATTRIBUTED } from './ports.js';
import { isStatement, StatementReader, type Statement } from './statement.js';
import type { UnreadMessages } from './unread-messages.js';

/** The first message of a transaction that says who made changes. */
export interface FirstMessage {
  readonly lsn: Lsn;
  readonly statement: Statement;
}

/**
 * By commit LSN: the first message of a transaction, which came after rows of its own had left for the trail.
 */
export type LateAttributions = Map<Lsn, FirstMessage>;

/** The transaction that runs. Its numbers are made of bytes when they are asked for, which is rare. */
export interface RunningTransaction {
  readonly commitLsn: Lsn;
  readonly xid: number;
}

/**
 * What is said of the next change by the logical messages of its transaction, and by the transaction's
 * origin. A message speaks for the changes that follow it until the next one, the first also for those before
 * it (DECISIONS 36). Nothing that a message holds makes any of this throw (DECISIONS 37).
 */
export class TransactionAttribution {
  #modifierId: number | null = null;
  #extra: Buffer | null = null;
  readonly #attribution: Attribution;
  readonly #reader: StatementReader;
  readonly #lateAttributions: LateAttributions;
  readonly #unreadMessages: UnreadMessages;
  readonly #running: RunningTransaction;
  #first: FirstMessage | null = null;
  /**
   * Of the message that was heard last. The first one of a transaction may come twice: ahead of its changes,
   * and in its place.
   */
  #heardLsn: Lsn | null = null;
  // Members of what is stored with each entry, as JSON text; null: it has none.
  #context: string | null = null;
  #unread: string | null = null;
  #origin: string | null = null;
  /** The commit time that the source claimed, where another one is stored; as JSON text. */
  #claimedCommitAt: string | null = null;

  constructor(options: {
    readonly attribution: Attribution;
    readonly config: TrackingConfig;
    readonly lateAttributions: LateAttributions;
    readonly unreadMessages: UnreadMessages;
    readonly running: RunningTransaction;
  }) {
    this.#attribution = options.attribution;
    this.#reader = new StatementReader(options.config);
    this.#lateAttributions = options.lateAttributions;
    this.#unreadMessages = options.unreadMessages;
    this.#running = options.running;
  }

  /** {@link UNATTRIBUTED} where a message was not understood; null: lower rungs speak. */
  get modifierId(): number | null {
    return this.#modifierId;
  }

  /** What the next entry carries beside its values, as JSON; null: nothing. */
  get extra(): Buffer | null {
    return this.#extra;
  }

  /** Another transaction has begun. */
  begin(): void {
    const late = this.#lateAttributions;
    this.#first = late.size === 0 ? null : (late.get(this.#running.commitLsn) ?? null);
    this.#heardLsn = this.#first?.lsn ?? null;
    this.#modifierId = null;
    this.#context = this.#unread = this.#origin = this.#claimedCommitAt = null;
    if (this.#first === null) this.#extra = null;
    else this.#take(this.#first);
  }

  origin(name: string): void {
    this.#origin = JSON.stringify(name);
    this.#setExtra();
  }

  /** The running transaction is stored under another commit time than the source claimed. */
  claimed(commitAt: string): void {
    this.#claimedCommitAt = JSON.stringify(commitAt);
    this.#setExtra();
  }

  /** True when it is the first of its transaction: the changes so far are its as well. */
  hear(message: LogicalMessage): boolean {
    if (!isStatement(message) || message.lsn === this.#heardLsn) return false;
    this.#heardLsn = message.lsn;
    const { lsn, prefix } = message;
    const { statement } = this.#understand(message);
    if (statement.of === 'nothing')
      this.#unreadMessages.add({ lsn, xid: this.#running.xid, prefix, reason: statement.reason });
    if (this.#first !== null) return false;
    this.#first = { lsn, statement };
    return true;
  }

  /**
   * Rows have left for the trail without what the first message says: the transaction is to be read again,
   * with it from the start.
   */
  readAgain(): void {
    this.#lateAttributions.set(this.#running.commitLsn, this.#first!);
  }

  /** What is before `lsn` will not be read again. */
  stored(lsn: Lsn): void {
    for (const commitLsn of this.#lateAttributions.keys())
      if (commitLsn < lsn) this.#lateAttributions.delete(commitLsn);
  }

  #understand(message: LogicalMessage): FirstMessage {
    const { lsn } = message;
    try {
      return this.#take({ lsn, statement: this.#reader.read(message) });
    } catch {
      // Whatever it was: a message that stops capture would stop it again after each restart.
      return this.#take({ lsn, statement: { of: 'nothing', reason: 'reading it failed' } });
    }
  }

  #take(message: FirstMessage): FirstMessage {
    const { lsn, statement } = message;
    switch (statement.of) {
      case 'modifier and context':
        this.#modifierId =
          statement.modifier === null ? null : this.#attribution.byMessage(statement.modifier);
        this.#context = statement.context;
        this.#unread = null;
        break;
      case 'context':
        // Also after one that was not understood: it may have named somebody, and this one does not.
        this.#context = statement.context;
        break;
      case 'nothing':
        this.#modifierId = UNATTRIBUTED;
        this.#context = null;
        this.#unread = JSON.stringify({ lsn: formatLsn(lsn), reason: statement.reason });
        break;
    }
    this.#setExtra();
    return message;
  }

  #setExtra(): void {
    const members = [
      ['context', this.#context],
      ['unread', this.#unread],
      ['origin', this.#origin],
      ['claimedCommitAt', this.#claimedCommitAt],
    ].flatMap(([name, json]) => (json === null ? [] : [`"${name}":${json}`]));
    this.#extra = members.length === 0 ? null : Buffer.from(`{${members.join(',')}}`);
  }
}
