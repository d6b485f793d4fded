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
 * What a message that was heard means for the entries of its transaction that are written already: nothing;
 * it is the first and speaks for them, so they have to be revised; it was passed over, which they should say.
 */
export type Heard = 'nothing' | 'first' | 'passed over';

/**
 * A context that takes no more bytes than this stays with each of its entries: to store it once and to refer
 * to it takes about 120 bytes for the first entry and 40 for every other.
 */
const MAX_INLINE_BYTES = 512;

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
  #meant: MeantByMessage | null = null;
  #extra: Buffer | null = null;
  /** The context that the next entry refers to, where it is not stored yet. */
  #unstored: Buffer | null = null;
  /** What entries refer to the context by, once it is stored; as JSON text. */
  #contextId: string | null = null;
  readonly #rows: Pick<EntryRows, 'context'>;
  readonly #attribution: Attribution;
  readonly #reader: StatementReader;
  readonly #lateAttributions: LateAttributions;
  readonly #unreadMessages: UnreadMessages;
  readonly #running: RunningTransaction;
  #first: FirstMessage | null = null;
  /** A message of this transaction was passed over. */
  #passedOver = false;
  /**
   * Of the message that was heard last. The first one of a transaction may come twice: ahead of its changes,
   * and in its place.
   */
  #heardLsn: Lsn | null = null;
  // Members of what is stored with each entry, as JSON text; null: it has none.
  #context: string | null = null;
  /** Why the message that was taken last was not understood, or not all of it; null: it was. */
  #reason: Unread | null = null;
  #unread: string | null = null;
  #origin: string | null = null;
  /** The commit time that the source claimed, where another one is stored; as JSON text. */
  #claimedCommitAt: string | null = null;
  /** What the session says of itself. */
  #session: string | null = null;
  /** The context of the next entry, or what it refers to it by. */
  #contextMember: Member = NO_CONTEXT;

  constructor(options: {
    readonly attribution: Attribution;
    readonly config: Pick<TrackingConfig, 'redact' | 'secrets' | 'messages'>;
    /** Of the source: a signature holds for one cluster. */
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

  /** {@link UNATTRIBUTED} where a message was not understood; null: lower rungs speak. */
  get modifierId(): number | null {
    return this.#modifierId;
  }

  /** Whom the message means; null where it names nobody or was not understood. */
  get meant(): MeantByMessage | null {
    return this.#meant;
  }

  /** Whom the message means; null: it was not understood; undefined: none names anybody. */
  get said(): MeantByMessage | null | undefined {
    return this.#modifierId === null ? undefined : this.#meant;
  }

  /**
   * What the entry at hand carries beside its values, as JSON; null: nothing. The first entry that asks has a
   * long context stored: one that no entry refers to is not.
   */
  get extra(): Buffer | null {
    if (this.#unstored !== null) {
      this.#contextId = `"${this.#rows.context(this.#unstored)}"`;
      this.#unstored = null;
      this.#setMembers(['contextId', this.#contextId]);
    }
    return this.#extra;
  }

  /** The same for an entry that is written already, when the session said something else of itself. */
  extraDuring(session: string | null): Buffer | null {
    const { extra } = this;
    return session === this.#session ? extra : this.#composed(session);
  }

  /** Another transaction has begun. */
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

  /** The running transaction is stored under another commit time than the source claimed. */
  claimed(commitAt: string): void {
    this.#claimedCommitAt = JSON.stringify(commitAt);
    this.#setExtra();
  }

  /** What the session says of itself from here on, as JSON text; null: nothing. */
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
      // Once a transaction: anybody may send any number of them.
      const isFirst = this.#first === null && !this.#passedOver;
      this.#passedOver = true;
      return isFirst ? 'passed over' : 'nothing';
    }
    if (this.#first !== null) return 'nothing';
    this.#first = heard;
    return 'first';
  }

  /**
   * Rows have left for the trail without what the first message says, if there is one: the transaction is to
   * be read again, with it from the start.
   */
  readAgain(): void {
    if (this.#first !== null) this.#lateAttributions.keepMessage(this.#running.commitLsn, this.#first);
  }

  #understand(message: LogicalMessage): FirstMessage {
    const { lsn } = message;
    try {
      return this.#take({ lsn, statement: this.#reader.read(message, this.#running.xid) });
    } catch {
      // Whatever it was: a message that stops capture would stop it again after each restart.
      return this.#take({ lsn, statement: { of: 'nothing', reason: 'reading it failed' } });
    }
  }

  #take(message: FirstMessage): FirstMessage {
    const { lsn, statement } = message;
    this.#reason = 'reason' in statement ? statement.reason : null;
    // Its context, if it has one, is another; one that is passed over leaves what was said before.
    if (statement.of !== 'passed over') this.#contextId = null;
    switch (statement.of) {
      case 'modifier and context':
        this.#name(statement.modifier);
        this.#reason ??= statement.unread;
        this.#context = statement.context;
        // That one acted as somebody who is not known is no reason to forget who acted.
        this.#unread = this.#reason === null ? null : unreadAt(lsn, this.#reason);
        break;
      case 'context':
        // Also after one that was not understood: it may have named somebody, and this one does not.
        this.#context = statement.context;
        break;
      case 'nothing':
        this.#modifierId = UNATTRIBUTED;
        this.#meant = this.#context = null;
        this.#unread = unreadAt(lsn, statement.reason);
        break;
      case 'passed over':
        // What was said before it stands, also that it was not understood.
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

/** Of what is stored beside the values; null: there is none. */
type Member = readonly [name: string, json: string | null];
const NO_CONTEXT: Member = ['context', null];
