import { WaltrailError } from '../errors.js';
import { copyBytes, LastView } from '../pg/byte-loops.js';
import { POSTGRES_EPOCH_MS } from '../pg/clock.js';
import type { Lsn } from '../pg/lsn.js';
import type { LogicalMessage, MessageHandler, OldRow, Origin, Relation } from '../pgoutput/reader.js';
import { TAG_DELETE, TAG_INSERT, TAG_RELATION, TAG_UPDATE } from '../pgoutput/tags.js';
import type { TransactionMessage } from '../pgoutput/transactions.js';
import type { Tuple } from '../pgoutput/tuple.js';
import { CONFIGURATION_PREFIX } from '../tracking/configuration.js';
import { ruleFor } from '../tracking/match.js';
import { formatTable } from '../tracking/names.js';
import { REPORT_PREFIX } from '../tracking/reports.js';
import type { RowTypes } from '../tracking/row-types.js';
import type { TrackingConfig } from '../tracking/rules.js';
import { SESSION_PREFIX } from '../tracking/session-trigger.js';
import { Attribution } from './attribution.js';
import type { Baseline } from './baseline.js';
import { BaselineWriter } from './baseline-writer.js';
import { CommitTimes } from './commit-time.js';
import { Difference } from './difference.js';
import { EntityTypes } from './entity-types.js';
import { EntryBuilder } from './entry-builder.js';
import { IdentityFollower } from './identity-change.js';
import { Ladder } from './ladder.js';
import type { LateAttributions } from './late-attributions.js';
import type { MessagePlace } from './message-place.js';
import { NameFollower } from './name-follower.js';
import { markNotSent } from './old-row.js';
import { type EntryAttribution, type Notice, type TrailSession, OWN } from './ports.js';
import { planRelation, type RelationPlan } from './relation-plan.js';
import { ReportFollower } from './report-follower.js';
import { RowChange } from './row-change.js';
import { knownRelation, SchemaFollower } from './schema-change.js';
import type { TableFacts } from './table-facts.js';
import { SessionAttribution } from './session-attribution.js';
import { TransactionAttribution, type RunningTransaction } from './transaction-attribution.js';
import type { UnknownTenants } from './unknown-tenants.js';
import type { UnreadMessages } from './unread-messages.js';
import { Witnesses } from './witnesses.js';

export interface RecorderOptions {
  readonly config: TrackingConfig;
  readonly trail: TrailSession;
  readonly redactionKey: Buffer;
  /** System identifier of the source. */
  readonly systemIdentifier: string;
  /** Returns the facts of a published table from the source's catalog, by oid. Undefined: there are none. */
  readonly tableFacts: (relationOid: number) => TableFacts | undefined;
  /** Returns the replica identity of a published table that the last look found. Undefined: it found none. */
  readonly lookedIdentity: (relationOid: number) => string | undefined;
  /** Called after each transaction that is reported to have rewritten a table, with the LSN of its commit. */
  readonly rewritten: (table: string, commitLsn: Lsn) => void;
  /** Returns tables of the source by the types that frameworks write into audit rows, as of the last look. */
  readonly rowTypes: () => RowTypes;
  /**
   * Returns whether the source sends every new row of the audit tables that the YAML names, as of the last
   * look.
   */
  readonly areWitnessesSent: () => boolean;
  /**
   * What late logical messages and witnesses stated. If one arrives after rows of its transaction were sent
   * to the trail, it is put here, and the transaction is read again. So this must outlive the recorder.
   */
  readonly lateAttributions: LateAttributions;
  /**
   * Called for each message that announces a configuration. Returns true if the configuration begins here.
   * Capture must then open again with it.
   */
  readonly announced: (message: ConfigurationMessage) => boolean;
  /** Counts each message that was not understood or not signed. */
  readonly unreadMessages: UnreadMessages;
  /** Counts each change whose entry has no tenant because the tenant is unknown. */
  readonly unknownTenants: UnknownTenants;
  /** Whether to remember the tables that a transaction changes. */
  readonly tellTables: boolean;
}

/** A message that announces that a configuration begins. */
export interface ConfigurationMessage extends MessagePlace {
  readonly digest: string;
  /** End of the transaction before. */
  readonly afterLsn: Lsn;
}

/** Numbers of what was read, or of what was stored. */
export interface RecordedCounts {
  readonly transactions: number;
  readonly changes: number;
  readonly entries: number;
  readonly ignored: number;
}

type Counters = { -readonly [Name in keyof RecordedCounts]: RecordedCounts[Name] };

/**
 * First of the negative numbers for entries of Waltrail's own that have none. They are far from the numbers
 * of gaps (sql/trail/0005_gaps.sql).
 */
const FIRST_SEQ_BY_ID = -2_000_000_000;
const SEQS_BY_ID = 1_000_000_000n;
/** Length of commit LSN, commit time and xid in a Begin message. */
const BEGIN_BYTES = 20;
/** Messages in which an oid follows the tag. */
const ROW_TAGS: ReadonlySet<number> = new Set([TAG_INSERT, TAG_UPDATE, TAG_DELETE, TAG_RELATION]);

/** Longest content that may be a digest. */
const MAX_DIGEST_BYTES = 128;

/**
 * Writes the entries of one source transaction after another into the trail's rows, and marks where each
 * ends. It does not decide when they are stored. Its methods as a {@link MessageHandler} throw
 * PGOUTPUT_MALFORMED. They throw PIPELINE_READ_AGAIN if the first logical message or a witness comes too
 * late, and TRACKING_CHANGED if another configuration begins.
 */
export class TransactionRecorder implements MessageHandler, RunningTransaction {
  /** Counts of what was read so far. */
  readonly #counts: Counters = { transactions: 0, changes: 0, entries: 0, ignored: 0 };
  /** The same counts at the last boundary. What follows it may be read again, and is counted then. */
  readonly #whole: Counters = { transactions: 0, changes: 0, entries: 0, ignored: 0 };
  readonly #options: RecorderOptions;
  readonly #trail: TrailSession;
  readonly #builder: EntryBuilder;
  readonly #baselines: BaselineWriter;
  readonly #difference = new Difference();
  readonly #attribution: Attribution;
  readonly #ladder: Ladder;
  readonly #messages: TransactionAttribution;
  /** Null: the YAML names no audit table. */
  readonly #witnesses: Witnesses | null;
  /** Null: the YAML asks for no trigger, so such a message has no known sender. */
  readonly #session: SessionAttribution | null;
  readonly #names: NameFollower;
  readonly #entityTypes: EntityTypes;
  readonly #schemas: SchemaFollower;
  readonly #identities: IdentityFollower;
  readonly #reports: ReportFollower;
  readonly #plans = new Map<number, RelationPlan>();
  #inTransaction = false;
  /**
   * Commit LSN, commit time and xid of the running transaction, as bytes. Few transactions need them as
   * numbers.
   */
  readonly #begun = new DataView(new ArrayBuffer(BEGIN_BYTES));
  readonly #views = new LastView();
  readonly #commitTimes: CommitTimes;
  /**
   * Whether the commit time of the running transaction is stored as it was claimed, and whether it is from
   * the source's clock.
   */
  #asClaimed = true;
  #byClock = true;
  #seq = 0;
  #changesBefore = 0;
  #entriesBefore = 0;
  readonly #change = new RowChange();
  /** Relations of the running transaction, or of the last one. Null: they are not remembered. */
  readonly #touched: Set<number> | null;

  constructor(options: RecorderOptions) {
    const { trail, config } = options;
    const { dictionary, lookups } = trail;
    this.#options = options;
    this.#touched = options.tellTables ? new Set() : null;
    this.#trail = trail;
    this.#commitTimes = new CommitTimes(trail.lastCommittedAt);
    this.#attribution = new Attribution({
      dictionary,
      lookups,
      modifiers: config.modifiers,
      trustNames: config.messages.trustNames,
      databaseUsers: config.session?.databaseUser ?? false,
    });
    this.#entityTypes = new EntityTypes({ config, dictionary });
    this.#messages = new TransactionAttribution({
      attribution: this.#attribution,
      config,
      systemIdentifier: options.systemIdentifier,
      lateAttributions: options.lateAttributions,
      unreadMessages: options.unreadMessages,
      running: this,
      rows: trail.rows,
    });
    this.#witnesses =
      config.attribution.length === 0
        ? null
        : new Witnesses({
            attribution: this.#attribution,
            lateAttributions: options.lateAttributions,
            configuration: config.definition.digest,
            rowTypes: options.rowTypes,
            areSent: options.areWitnessesSent,
            running: this,
          });
    this.#session =
      config.session === null
        ? null
        : new SessionAttribution({ attribution: this.#attribution, config, rule: config.session });
    this.#ladder = new Ladder({
      messages: this.#messages,
      witnesses: this.#witnesses,
      session: this.#session,
      attribution: this.#attribution,
      dictionary,
      difference: this.#difference,
    });
    this.#builder = new EntryBuilder({
      rows: trail.rows,
      dictionary,
      lookups,
      difference: this.#difference,
      transaction: this.#messages,
      tenantUnknown: ({ relationName: table }, seq) =>
        options.unknownTenants.add({ table, commitLsn: this.commitLsn, xid: this.xid, seq }),
    });
    this.#baselines = new BaselineWriter({
      trail,
      builder: this.#builder,
      planOf: (relation, facts) => this.#planRelation(relation, { facts, xid: 0 }),
      seqOf: ownSeq,
    });
    this.#schemas = new SchemaFollower({ dictionary, builder: this.#builder });
    this.#identities = new IdentityFollower({
      dictionary,
      builder: this.#builder,
      looked: options.lookedIdentity,
    });
    this.#reports = new ReportFollower({
      config,
      dictionary,
      builder: this.#builder,
      knownAs: (oid) => options.tableFacts(oid)?.knownAs ?? null,
    });
    this.#names = new NameFollower({ lookups, changed: (lookup) => this.#attribution.namesChanged(lookup) });
  }

  /** Whether a transaction has begun and not ended. */
  get inTransaction(): boolean {
    return this.#inTransaction;
  }

  /**
   * Counts from the beginning of the recorder to the last boundary. The next commit of the trail stores
   * these.
   */
  get counts(): RecordedCounts {
    return { ...this.#whole };
  }

  /** Commit LSN of the running transaction, or of the last one. */
  get commitLsn(): Lsn {
    return this.#begun.getBigUint64(0);
  }

  /** Xid of the same transaction, as a signed number. */
  get xid(): number {
    return this.#begun.getInt32(16);
  }

  /**
   * Tables (`schema.table`) that the running transaction, or the last one, has changed so far. Empty if they
   * are not remembered.
   */
  get tables(): readonly string[] {
    return Array.from(this.#touched ?? [], (oid) => {
      const known = this.#options.tableFacts(oid)?.knownAs ?? null;
      return this.#plans.get(oid)?.qualifiedName ?? (known === null ? `oid ${oid}` : formatTable(known));
    }).sort();
  }

  /**
   * Counts the relation of an unreadable row message as changed, because reading may have failed before the
   * relation was named.
   */
  unread(bytes: Buffer, start: number, end: number): void {
    if (this.#inTransaction && ROW_TAGS.has(bytes[start]!) && end - start > 4)
      this.#touched?.add(bytes.readInt32BE(start + 1));
  }

  /** Drops what was kept for transactions before `lsn`, which are not read again. */
  stored(lsn: Lsn): void {
    this.#options.lateAttributions.stored(lsn);
  }

  /** Writes an entry of Waltrail's own. Call it between two transactions only. */
  notice(notice: Notice): void {
    const { rows, dictionary } = this.#trail;
    const entryId = rows.nextId;
    rows.transaction(ownTransaction(notice.lsn, now()), 0);
    this.#builder.own({
      ...notice,
      seq: notice.seq ?? ownSeq(entryId),
      relationId: dictionary.relation(notice.relation),
      entityTypeId: dictionary.entityType(OWN),
      actionId: dictionary.action(notice.action),
    });
    this.#counts.entries++;
    this.#markWhole();
    this.#trail.between(notice.statement?.(entryId) ?? null);
  }

  /**
   * Writes the entries of rows that existed already. Call it between two transactions only.
   *
   * @param written called after each entry
   */
  baseline(baseline: Baseline, written: () => void): void {
    this.#baselines.write(baseline, {
      transaction: ownTransaction(baseline.lsn, baseline.at),
      written: () => {
        this.#counts.entries++;
        this.#markWhole();
        written();
      },
      notice: (notice) => this.notice(notice),
    });
  }

  begin(bytes: Buffer, at: number): void {
    this.#inTransaction = true;
    copyBytes(this.#views.of(bytes), at, BEGIN_BYTES, this.#begun, 0);
    this.#seq = 0;
    this.#touched?.clear();
    this.#changesBefore = this.#counts.changes;
    this.#entriesBefore = this.#counts.entries;
    const claimed = this.#commitTimes.begin(bytes, at);
    this.#byClock = this.#asClaimed = claimed === null;
    if (claimed === null) this.#trail.rows.transaction(bytes, at);
    else this.#trail.rows.transaction(this.#commitTimes.bounded, 0);
    this.#messages.begin();
    this.#witnesses?.begin();
    this.#session?.begin();
    this.#reports.begin();
    if (claimed !== null) this.#messages.claimed(claimed);
  }

  commit(bytes: Buffer, at: number): void {
    if (this.#witnesses !== null) this.#hearWitnesses(this.#witnesses);
    this.#inTransaction = false;
    this.#names.endTransaction();
    this.#counts.transactions++;
    this.#markWhole();
    const end = {
      byClock: this.#asClaimed && this.#byClock,
      begun: this.#counts.changes > this.#changesBefore ? this.#begun : null,
    };
    if (this.#asClaimed) this.#trail.boundary(bytes, at + 8, end);
    else this.#trail.boundary(this.#commitTimes.end(bytes, at + 8), 0, end);
    if (this.#reports.rewritten.size > 0)
      for (const table of this.#reports.rewritten) this.#options.rewritten(table, this.commitLsn);
  }

  relation(relation: Relation): void {
    const { config, tableFacts } = this.#options;
    const facts = tableFacts(relation.oid);
    const known = knownRelation(relation, { config, knownAs: facts?.knownAs ?? null });
    if (ruleFor(config, known) !== undefined) {
      if (this.#schemas.follow(relation, { known, seq: this.#seq })) this.#ownWritten();
      if (this.#identities.follow(relation, { known, seq: this.#seq })) this.#ownWritten();
    }
    this.#plans.set(relation.oid, this.#planRelation(known, { facts, xid: this.xid }));
  }

  #planRelation(
    relation: Relation,
    as: { readonly facts: TableFacts | undefined; readonly xid: number },
  ): RelationPlan {
    const { config, redactionKey } = this.#options;
    const { dictionary } = this.#trail;
    return planRelation({
      relation,
      config,
      redactionKey,
      ...as,
      dictionary,
      entityTypes: this.#entityTypes,
    });
  }

  insert(relationOid: number, updated: Tuple): void {
    const plan = this.#planOf(relationOid);
    const { tracked, names } = plan;
    const change = this.#next(updated);
    if (tracked !== null || plan.witness !== null) this.#witnesses?.next(plan, change, true);
    if (tracked !== null) {
      if (tracked.filters.insert?.(change) ?? true) {
        this.#ladder.inserted(change, tracked);
        this.#builder.insert(tracked, change);
        this.#entryWritten(change);
      } else {
        this.#passed();
      }
    }
    if (names.length > 0) this.#names.inserted(names, updated);
  }

  update(
    relationOid: number,
    sent: { readonly previous: Tuple; readonly oldRow: OldRow; readonly updated: Tuple },
  ): void {
    const plan = this.#planOf(relationOid);
    const { tracked, names, rootKey } = plan;
    markNotSent(sent.previous, sent.oldRow, rootKey);
    const change = this.#next(sent.updated);
    if (tracked !== null) {
      const previous = (change.previous = sent.oldRow === 'none' ? null : sent.previous);
      this.#witnesses?.next(plan, change, false);
      change.changed = this.#difference.columns;
      if (
        this.#difference.find(tracked, previous, sent.updated) &&
        (tracked.filters.update?.(change) ?? true)
      ) {
        this.#ladder.updated(change, tracked);
        this.#builder.update(tracked, change);
        this.#entryWritten(change);
      } else {
        this.#passed();
      }
    }
    if (names.length > 0) this.#names.updated(names, sent);
  }

  delete(relationOid: number, sent: { readonly previous: Tuple; readonly oldRow: OldRow }): void {
    const plan = this.#planOf(relationOid);
    const { tracked, names, rootKey } = plan;
    markNotSent(sent.previous, sent.oldRow, rootKey);
    const change = this.#next(sent.previous);
    if (tracked !== null) {
      this.#witnesses?.next(plan, change, false);
      if (tracked.filters.delete?.(change) ?? true) {
        this.#ladder.removed(change);
        this.#builder.delete(tracked, change);
        this.#entryWritten(change);
      } else {
        this.#passed();
      }
    }
    if (names.length > 0) this.#names.deleted(names, sent.previous);
  }

  truncate(relationOids: readonly number[]): void {
    for (const oid of relationOids) {
      const plan = this.#planOf(oid);
      const { tracked, names } = plan;
      const change = this.#next(null);
      if (tracked !== null) {
        this.#witnesses?.next(plan, change, false);
        if (tracked.filters.truncate?.(change) ?? true) {
          this.#ladder.removed(change);
          this.#builder.truncate(tracked, change);
          this.#entryWritten(change);
        } else {
          this.#passed();
        }
      }
      this.#names.truncated(names);
    }
  }

  logicalMessage(message: LogicalMessage): void {
    if (message.prefix === CONFIGURATION_PREFIX) return this.#configuration(message);
    if (message.prefix === REPORT_PREFIX) {
      if (this.#reports.follow(message, { seq: this.#seq })) this.#ownWritten();
      return;
    }
    if (message.prefix === SESSION_PREFIX) return this.#hearSession(message);
    const heard = this.#messages.hear(message);
    if (heard === 'nothing' || this.#counts.entries === this.#entriesBefore) return;
    // A message that was passed over is noted in entries that can still be changed. It is not worth a second
    // reading.
    const written = this.#witnesses?.written ?? null;
    let index = 0;
    const revise = (entry: EntryAttribution): EntryAttribution | null =>
      this.#ladder.revise(entry, written?.[index++] ?? null);
    if (this.#trail.rows.reattribute(revise) || heard !== 'first') return;
    this.#messages.readAgain();
    throw new WaltrailError(
      'PIPELINE_READ_AGAIN',
      'The first logical message of a transaction came after some of its rows were sent to the trail.',
    );
  }

  #hearSession(message: LogicalMessage): void {
    if (this.#session === null) return;
    this.#session.hear(message);
    this.#messages.during(this.#session.facts);
  }

  /** Attributes the entries of the running transaction again, by what all its witnesses state. */
  #hearWitnesses(witnesses: Witnesses): void {
    if (this.#counts.entries === this.#entriesBefore || !witnesses.conclude()) return;
    const { written } = witnesses;
    let index = 0;
    const revise = (entry: EntryAttribution): EntryAttribution | null => {
      const known = written![index++]!;
      return this.#ladder.reviseByWitness(entry, known, witnesses.testimonyFor(known));
    };
    if (written !== null && this.#trail.rows.reattribute(revise)) return;
    witnesses.readAgain();
    this.#messages.readAgain();
    throw new WaltrailError(
      'PIPELINE_READ_AGAIN',
      'Audit rows of a transaction named the modifiers of changes that were already sent to the trail.',
    );
  }

  /**
   * Handles a message that announces a configuration. Its transaction is the first one of that configuration,
   * so nothing of it is stored before.
   */
  #configuration({ transactional, content, lsn }: LogicalMessage): void {
    if (!transactional || content.length > MAX_DIGEST_BYTES) return;
    const digest = content.toString('latin1');
    const { boundaryLsn: afterLsn } = this.#trail;
    if (this.#options.announced({ digest, afterLsn, lsn, commitLsn: this.commitLsn }))
      throw configurationBegins();
  }

  origin({ name }: Origin): void {
    // A login that sets up an origin also sets the commit times of its transactions.
    this.#byClock = false;
    this.#messages.origin(name);
  }

  /**
   * Refuses messages that must not come. Transactions in progress are replayed as a whole before, and
   * two-phase commits are not requested.
   */
  transaction({ kind }: TransactionMessage): void {
    throw new WaltrailError(
      'PGOUTPUT_MALFORMED',
      `The replication stream has a ${kind} message, which was not requested.`,
    );
  }

  streamed(): void {
    throw new WaltrailError(
      'PGOUTPUT_MALFORMED',
      'The replication stream has a change of a transaction in progress, which should have been replayed.',
    );
  }

  /** Counts the current change as one without an entry. */
  #passed(): void {
    this.#witnesses?.passed();
    this.#counts.ignored++;
  }

  #entryWritten(change: RowChange): void {
    this.#counts.entries++;
    if (this.#witnesses !== null) this.#witnesses.wrote(this.#messages.said, this.#messages.extra, change);
  }

  /** Counts an entry of Waltrail's own among those of the transaction. */
  #ownWritten(): void {
    this.#seq++;
    this.#counts.entries++;
  }

  /** Copies field by field, because this is done for every transaction. */
  #markWhole(): void {
    this.#whole.transactions = this.#counts.transactions;
    this.#whole.changes = this.#counts.changes;
    this.#whole.entries = this.#counts.entries;
    this.#whole.ignored = this.#counts.ignored;
  }

  /** Returns the change object, prepared for the next row of the transaction. */
  #next(row: Tuple | null): RowChange {
    this.#counts.changes++;
    const change = this.#change;
    change.seq = this.#seq++;
    change.previous = null;
    change.changed = null;
    change.row = row;
    return change;
  }

  #planOf(oid: number): RelationPlan {
    this.#touched?.add(oid);
    const known = this.#plans.get(oid);
    if (known === undefined) {
      throw new WaltrailError(
        'PGOUTPUT_MALFORMED',
        `The replication stream has a row of relation ${oid} before its description.`,
      );
    }
    return known;
  }
}

/**
 * Returns commit LSN, commit time and xid for an entry that belongs to no transaction of the source. Its xid
 * is 0.
 */
function ownTransaction(lsn: Lsn, at: bigint): Buffer {
  const bytes = Buffer.alloc(20);
  bytes.writeBigUInt64BE(lsn);
  bytes.writeBigInt64BE(at, 8);
  return bytes;
}

/** Returns the current time in microseconds since 2000-01-01. */
const now = (): bigint => BigInt(Date.now() - POSTGRES_EPOCH_MS) * 1000n;

const ownSeq = (entryId: bigint): number => FIRST_SEQ_BY_ID + Number(entryId % SEQS_BY_ID);

/** Returns the error that ends a pipeline where another configuration begins. */
export const configurationBegins = (): WaltrailError =>
  new WaltrailError('TRACKING_CHANGED', 'Another configuration begins here.');
