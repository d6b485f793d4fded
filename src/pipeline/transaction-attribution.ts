import { formatLsn, type Lsn } from '../pg/lsn.js';
import type { LogicalMessage } from '../pgoutput/reader.js';
import type { TrackingConfig } from '../tracking/rules.js';
import type { Attribution, MeantByMessage } from './attribution.js';
import type { FirstMessage, LateAttributions } from './late-attributions.js';
import { UNATTRIBUTED, type EntryRows } from './ports.js';
import { MessageSignatures } from './signature.js';
import { isStatement, StatementReader, type NamedModifier, type Unread } from './statement.js';
import type { UnreadMessages } from './unread-messages.js';

/**
 * What a message means for the entries of its transaction that are already written. `first`: it is the first
 * message and applies to them, so they must be revised. `passed over`: they should state that it was passed
 * over.
 */
export type Heard = 'nothing' | 'first' | 'passed over';

/**
 * Longest context that is stored in each of its entries. A longer one is stored once, and entries refer to
 * it. This takes about 120 bytes for the first entry and 40 for every other.
 */
const MAX_INLINE_BYTES = 512;

/** The running transaction. Its numbers are read from bytes on request, which is rare. */
export interface RunningTransaction {
  readonly commitLsn: Lsn;
  readonly xid: number;
}

/**
 * What the logical messages of a transaction, and its origin, state about the next change. A message applies
 * to the changes after it, up to the next message. The first message also applies to the changes before it
 * (DECISIONS 36). Nothing in a message can make this throw (DECISIONS 37).
 */
export class TransactionAttribution {
  #modifierId: number | null = null;
  #meant: MeantByMessage | null = null;
  #extra: Buffer | null = null;
  /** The context that the next entry refers to, if it is not stored yet. */
  #unstored: Buffer | null = null;
  /** The id by which entries refer to a stored context, as JSON text. */
  #contextId: string | null = null;
  readonly #rows: Pick<EntryRows, 'context'>;
  readonly #attribution: Attribution;
  readonly #reader: StatementReader;
  readonly #lateAttributions: LateAttributions;
  readonly #unreadMessages: UnreadMessages;
  readonly #running: RunningTransaction;
  #first: FirstMessage | null = null;
  /** Whether a message of this transaction was passed over. */
  #passedOver = false;
  /**
   * LSN of the last message. The first message of a transaction may come twice: ahead of its changes, and in
   * its place.
   */
  #heardLsn: Lsn | null = null;
  // Members of the JSON that is stored with each entry, as JSON text. Null: there is none.
  #context: string | null = null;
  /** Why the last message, or a part of it, was not understood. Null: it was understood. */
  #reason: Unread | null = null;
  #unread: string | null = null;
  #origin: string | null = null;
  /** The commit time that the source claimed, as JSON text, if another one is stored. */
  #claimedCommitAt: string | null = null;
  /** What the session states about itself. */
  #session: string | null = null;
  /** The context of the next entry, or the id by which it refers to it. */
  #contextMember: Member = NO_CONTEXT;

  constructor(options: {
    readonly attribution: Attribution;
    readonly config: Pick<TrackingConfig, 'redact' | 'secrets' | 'messages'>;
    /** System identifier of the source. A signature is valid for one cluster. */
    readonly systemIdentifier: string;
    readonly lateAttributions: LateAttributions;
    readonly unreadMessages: UnreadMessages;
    readonly running: RunningTransaction;
    readonly rows: Pick<EntryRows, 'context'>;
  }) {
    this.#rows = options.rows;
    this.#attribution = options.attribution;
    const { config, systemIdentifier } = options;
    this.#reader = new StatementReader({
      config,
      signatures: new MessageSignatures({ keys: config.messages.signingKeys, systemIdentifier }),
    });
    this.#lateAttributions = options.lateAttributions;
    this.#unreadMessages = options.unreadMessages;
    this.#running = options.running;
  }

  /**
   * Modifier id by the last message. {@link UNATTRIBUTED}: the message was not understood. Null: lower rungs
   * count.
   */
  get modifierId(): number | null {
    return this.#modifierId;
  }

  /** The person that the message means. Null: it names nobody, or was not understood. */
  get meant(): MeantByMessage | null {
    return this.#meant;
  }

  /** The person that the message means. Null: it was not understood. Undefined: no message names anybody. */
  get said(): MeantByMessage | null | undefined {
    return this.#modifierId === null ? undefined : this.#meant;
  }

  /**
   * What the current entry has beside its values, as JSON. Null: nothing. The first entry that reads it has a
   * long context stored. So a context is not stored if no entry refers to it.
   */
  get extra(): Buffer | null {
    if (this.#unstored !== null) {
      this.#contextId = `"${this.#rows.context(this.#unstored)}"`;
      this.#unstored = null;
      this.#setMembers(['contextId', this.#contextId]);
    }
    return this.#extra;
  }

  /**
   * Returns the same for an entry that is already written, with what the session stated about itself then.
   */
  extraDuring(session: string | null): Buffer | null {
    const { extra } = this;
    return session === this.#session ? extra : this.#composed(session);
  }

  /** Begins another transaction. */
  begin(): void {
    this.#first = this.#lateAttributions.messageOf(this.#running.commitLsn);
    this.#heardLsn = this.#first?.lsn ?? null;
    this.#modifierId = this.#meant = null;
    this.#passedOver = false;
    this.#context = this.#contextId = this.#unread = this.#origin = this.#claimedCommitAt = null;
    this.#session = null;
    if (this.#first === null) {
      this.#extra = this.#unstored = null;
      this.#contextMember = NO_CONTEXT;
    } else {
      this.#take(this.#first);
    }
  }

  origin(name: string): void {
    this.#origin = JSON.stringify(name);
    this.#setExtra();
  }

  /**
   * Records the commit time that the source claimed for the running transaction, because another one is
   * stored.
   */
  claimed(commitAt: string): void {
    this.#claimedCommitAt = JSON.stringify(commitAt);
    this.#setExtra();
  }

  /** Sets what the session states about itself for the following changes, as JSON text. Null: nothing. */
  during(session: string | null): void {
    this.#session = session;
    if (this.#unstored === null) this.#extra = this.#composed(session);
  }

  hear(message: LogicalMessage): Heard {
    if (!isStatement(message) || message.lsn === this.#heardLsn) return 'nothing';
    this.#heardLsn = message.lsn;
    const { lsn, prefix } = message;
    const heard = this.#understand(message);
    const { statement } = heard;
    if (this.#reason !== null) {
      const { commitLsn, xid } = this.#running;
      this.#unreadMessages.add({ lsn, commitLsn, xid, prefix, reason: this.#reason });
    }
    if (statement.of === 'passed over') {
      // Noted once for each transaction, because anybody may send any number of them.
      const isFirst = this.#first === null && !this.#passedOver;
      this.#passedOver = true;
      return isFirst ? 'passed over' : 'nothing';
    }
    if (this.#first !== null) return 'nothing';
    this.#first = heard;
    return 'first';
  }

  /**
   * Keeps the first message, if there is one, for a second reading of the transaction. Called if rows were
   * sent to the trail without it.
   */
  readAgain(): void {
    if (this.#first !== null) this.#lateAttributions.keepMessage(this.#running.commitLsn, this.#first);
  }

  #understand(message: LogicalMessage): FirstMessage {
    const { lsn } = message;
    try {
      return this.#take({ lsn, statement: this.#reader.read(message, this.#running.xid) });
    } catch {
      // Every error is caught. A message that stops capture would stop it again after each restart.
      return this.#take({ lsn, statement: { of: 'nothing', reason: 'reading it failed' } });
    }
  }

  #take(message: FirstMessage): FirstMessage {
    const { lsn, statement } = message;
    this.#reason = 'reason' in statement ? statement.reason : null;
    // The message replaces the context. A message that is passed over leaves everything as it was.
    if (statement.of !== 'passed over') this.#contextId = null;
    switch (statement.of) {
      case 'modifier and context':
        this.#name(statement.modifier);
        this.#reason ??= statement.unread;
        this.#context = statement.context;
        // The modifier counts even if it is unknown whom they acted as.
        this.#unread = this.#reason === null ? null : unreadAt(lsn, this.#reason);
        break;
      case 'context':
        // The modifier stays, also after a message that was not understood: that one may have named somebody,
        // and this one does not.
        this.#context = statement.context;
        break;
      case 'nothing':
        this.#modifierId = UNATTRIBUTED;
        this.#meant = this.#context = null;
        this.#unread = unreadAt(lsn, statement.reason);
        break;
      case 'passed over':
        // The statement before it still applies, also if it was not understood.
        if (this.#modifierId !== UNATTRIBUTED) this.#unread = unreadAt(lsn, statement.reason);
        break;
    }
    this.#setExtra();
    return message;
  }

  #name(modifier: NamedModifier | null): void {
    if (modifier === null) {
      this.#modifierId = this.#meant = null;
      return;
    }
    const { modifierId, meant, unread } = this.#attribution.byMessage(modifier);
    this.#modifierId = modifierId;
    this.#meant = meant;
    this.#reason = unread;
  }

  #setExtra(): void {
    const context = this.#context;
    this.#unstored = null;
    if (this.#contextId !== null) this.#setMembers(['contextId', this.#contextId]);
    else if (context === null || Buffer.byteLength(context) <= MAX_INLINE_BYTES)
      this.#setMembers(['context', context]);
    else this.#unstored = Buffer.from(context);
  }

  #setMembers(context: Member): void {
    this.#contextMember = context;
    this.#extra = this.#composed(this.#session);
  }

  #composed(session: string | null): Buffer | null {
    const members: readonly Member[] = [
      this.#contextMember,
      ['unread', this.#unread],
      ['origin', this.#origin],
      ['claimedCommitAt', this.#claimedCommitAt],
      ['session', session],
    ];
    const texts = members.flatMap(([name, json]) => (json === null ? [] : [`"${name}":${json}`]));
    return texts.length === 0 ? null : Buffer.from(`{${texts.join(',')}}`);
  }
}

const unreadAt = (lsn: Lsn, reason: Unread): string => JSON.stringify({ lsn: formatLsn(lsn), reason });

/** A member of what is stored beside the values. Null: there is none. */
type Member = readonly [name: string, json: string | null];
const NO_CONTEXT: Member = ['context', null];
