import { WaltrailError } from '../errors.js';
import type { Log } from '../log.js';
import type { Lsn } from '../pg/lsn.js';
import {
  MessageReader,
  type LogicalMessage,
  type MessageHandler,
  type OldRow,
  type Origin,
  type Relation,
} from '../pgoutput/reader.js';
import type { TransactionMessage } from '../pgoutput/transactions.js';
import type { Tuple } from '../pgoutput/tuple.js';
import { ruleFor } from '../tracking/match.js';
import type { TableName } from '../tracking/names.js';
import type { TrackingConfig } from '../tracking/rules.js';
import { Attribution, UNATTRIBUTED } from './attribution.js';
import { CommitTimes } from './commit-time.js';
import { EntryBuilder } from './entry-builder.js';
import { NameFollower } from './name-follower.js';
import { markNotSent } from './old-row.js';
import type { TrailSession } from './ports.js';
import { planRelation, type RelationPlan, type TrackedPlan } from './relation-plan.js';
import { RowChange } from './row-change.js';
import { knownRelation, SchemaFollower } from './schema-change.js';
import { TransactionAttribution, type LateAttributions } from './transaction-attribution.js';

export interface RecorderOptions {
  readonly config: TrackingConfig;
  readonly trail: TrailSession;
  readonly log: Log;
  readonly redactionKey: Buffer;
  /** Columns of a table's primary key; empty where it has none. */
  readonly primaryKey: (schema: string, table: string) => readonly string[];
  /** Whether a table is partitioned. */
  readonly partitioned: (schema: string, table: string) => boolean;
  /** Name of a published table, by oid, in the source's catalog when the session began. */
  readonly publishedAs: (relationOid: number) => TableName | undefined;
  /**
   * What late logical messages said. A message that arrives after rows of its transaction have left for the trail is put here
   * and the transaction is read again; so this must outlive the recorder.
   */
  readonly lateAttributions: LateAttributions;
}

/** Counters since the recorder began. */
export interface RecordedCounts {
  transactions: number;
  changes: number;
  entries: number;
  ignored: number;
}

/** RungCode as character codes. */
const RUNG_MESSAGE = 0x6d;
const RUNG_COLUMN = 0x63;
const RUNG_NOBODY = 0x2d;
/** Of pgoutput messages; see pgoutput/reader.ts. */
const TAG_LOGICAL_MESSAGE = 0x4d;
const TAG_COMMIT = 0x43;

const BY_CLOCK = { byClock: true };
const NOT_BY_CLOCK = { byClock: false };

/**
 * Writes the entries of one source transaction after another into the trail's rows, and marks where each ends. When they are
 * stored is not its business.
 */
export class TransactionRecorder implements MessageHandler {
  readonly counts: RecordedCounts = { transactions: 0, changes: 0, entries: 0, ignored: 0 };
  readonly #options: RecorderOptions;
  readonly #trail: TrailSession;
  readonly #reader = new MessageReader(this);
  readonly #builder: EntryBuilder;
  readonly #attribution: Attribution;
  readonly #whole: TransactionAttribution;
  readonly #names: NameFollower;
  readonly #schemas: SchemaFollower;
  readonly #plans = new Map<number, RelationPlan>();
  #inTransaction = false;
  /** Of the running transaction: in bytes, for few transactions ask for it. */
  readonly #commitLsn = Buffer.alloc(8);
  readonly #commitTimes: CommitTimes;
  /** Whether the running transaction's commit time is stored as it was claimed, and whether the source's clock told it. */
  #asClaimed = true;
  #byClock = true;
  #seq = 0;
  #entriesBefore = 0;
  readonly #change = new RowChange();

  constructor(options: RecorderOptions) {
    const { trail, config } = options;
    const { dictionary, lookups } = trail;
    this.#options = options;
    this.#trail = trail;
    this.#commitTimes = new CommitTimes(trail.lastCommittedAt);
    this.#attribution = new Attribution({
      dictionary,
      lookups,
      modifiersTable: config.modifiers?.table ?? null,
    });
    this.#whole = new TransactionAttribution({
      attribution: this.#attribution,
      redact: config.redact,
      lateAttributions: options.lateAttributions,
      log: options.log,
    });
    this.#builder = new EntryBuilder({ rows: trail.rows, dictionary, lookups, transaction: this.#whole });
    this.#schemas = new SchemaFollower({ dictionary, builder: this.#builder });
    this.#names = new NameFollower({ lookups, changed: (table) => this.#attribution.namesChanged(table) });
  }

  /** A transaction has begun and not ended. */
  get inTransaction(): boolean {
    return this.#inTransaction;
  }

  /** Commit LSN of the running transaction, or of the last one. */
  get commitLsn(): Lsn {
    return this.#commitLsn.readBigUInt64BE();
  }

  /**
   * One pgoutput message. Throws PGOUTPUT_MALFORMED, and PIPELINE_READ_AGAIN at the end of a transaction whose attribution
   * came too late.
   */
  message(bytes: Buffer, start: number, end: number): void {
    if (this.#whole.mustReadAgain && bytes[start] !== TAG_LOGICAL_MESSAGE && bytes[start] !== TAG_COMMIT)
      return;
    this.#reader.read(bytes, start, end);
  }

  /** What is before `lsn` will not be read again. */
  stored(lsn: Lsn): void {
    this.#whole.stored(lsn);
  }

  begin(bytes: Buffer, at: number): void {
    this.#inTransaction = true;
    for (let index = 0; index < 8; index++) this.#commitLsn[index] = bytes[at + index]!;
    this.#seq = 0;
    this.#entriesBefore = this.counts.entries;
    const claimed = this.#commitTimes.begin(bytes, at);
    this.#byClock = this.#asClaimed = claimed === null;
    if (claimed === null) this.#trail.rows.transaction(bytes, at);
    else this.#trail.rows.transaction(this.#commitTimes.bounded, 0);
    this.#whole.begin(this);
    if (claimed !== null) this.#whole.claimed(claimed);
  }

  commit(bytes: Buffer, at: number): void {
    if (this.#whole.mustReadAgain) {
      throw new WaltrailError(
        'PIPELINE_READ_AGAIN',
        'A logical message came after rows of its transaction were sent to the trail.',
      );
    }
    this.#inTransaction = false;
    this.#names.endTransaction();
    this.counts.transactions++;
    const byClock = this.#byClock;
    if (this.#asClaimed) this.#trail.boundary(bytes, at + 8, byClock ? BY_CLOCK : NOT_BY_CLOCK);
    else this.#trail.boundary(this.#commitTimes.end(bytes, at + 8), 0, NOT_BY_CLOCK);
  }

  relation(relation: Relation): void {
    const { config, redactionKey, primaryKey, partitioned, publishedAs } = this.#options;
    const known = knownRelation(relation, { config, publishedAs: publishedAs(relation.oid) });
    if (ruleFor(config, known) !== undefined && this.#schemas.follow(relation, { known, seq: this.#seq })) {
      this.#seq++;
      this.counts.entries++;
    }
    const plan = planRelation({
      relation: known,
      config,
      redactionKey,
      primaryKey: primaryKey(known.schema, known.table),
      partitioned: partitioned(known.schema, known.table),
      dictionary: this.#trail.dictionary,
    });
    this.#plans.set(relation.oid, plan);
  }

  insert(relationOid: number, updated: Tuple): void {
    const { tracked, names } = this.#planOf(relationOid);
    const change = this.#next(updated);
    if (tracked !== null) {
      this.#attribute(change, updated, tracked);
      this.#builder.insert(tracked, change);
      this.counts.entries++;
    }
    if (names.length > 0) this.#names.inserted(names, updated);
  }

  update(
    relationOid: number,
    sent: { readonly previous: Tuple; readonly oldRow: OldRow; readonly updated: Tuple },
  ): void {
    const { tracked, names, rootKey } = this.#planOf(relationOid);
    markNotSent(sent.previous, sent.oldRow, rootKey);
    const change = this.#next(sent.updated);
    if (tracked !== null) {
      this.#attribute(change, sent.updated, tracked);
      if (sent.oldRow === 'full') change.previous = sent.previous;
      else if (sent.oldRow === 'key') change.previousKey = sent.previous;
      if (this.#builder.update(tracked, change)) this.counts.entries++;
      else this.counts.ignored++;
    }
    if (names.length > 0) this.#names.updated(names, sent);
  }

  delete(relationOid: number, sent: { readonly previous: Tuple; readonly oldRow: OldRow }): void {
    const { tracked, names, rootKey } = this.#planOf(relationOid);
    markNotSent(sent.previous, sent.oldRow, rootKey);
    const change = this.#next(sent.previous);
    if (tracked !== null) {
      // The modifier column of a deleted row names who changed it last, not who deleted it: only a message can say that.
      this.#attribute(change, null, tracked);
      if (sent.oldRow === 'full') change.previous = sent.previous;
      this.#builder.delete(tracked, change);
      this.counts.entries++;
    }
    if (names.length > 0) this.#names.deleted(names, sent.previous);
  }

  truncate(relationOids: readonly number[]): void {
    for (const oid of relationOids) {
      const { tracked, names } = this.#planOf(oid);
      const change = this.#next(null);
      if (tracked !== null) {
        this.#attribute(change, null, tracked);
        this.#builder.truncate(tracked, change);
        this.counts.entries++;
      }
      this.#names.truncated(names);
    }
  }

  logicalMessage(message: LogicalMessage): void {
    const whole = this.#whole;
    if (!whole.hear(message)) return;
    if (this.counts.entries === this.#entriesBefore) return;
    const patched = this.#trail.rows.reattribute({
      modifierId: whole.modifierId,
      rung: 'm',
      extra: whole.hasContext ? whole.extra : null,
    });
    if (!patched) whole.readAgain(this.commitLsn);
  }

  origin({ name }: Origin): void {
    // Whoever sets up an origin says when its transactions were committed.
    this.#byClock = false;
    this.#whole.origin(name);
  }

  /** Who streams transactions in progress replays them whole before; two-phase commits are asked for by nobody. */
  transaction({ kind }: TransactionMessage): void {
    throw new WaltrailError(
      'PGOUTPUT_MALFORMED',
      `The replication stream holds a ${kind} message, which nobody asked for.`,
    );
  }

  streamed(): void {
    throw new WaltrailError(
      'PGOUTPUT_MALFORMED',
      'The replication stream holds a change of a transaction in progress, which should have been replayed.',
    );
  }

  /** The change object, ready for the next row of the transaction. */
  #next(row: Tuple | null): RowChange {
    this.counts.changes++;
    const change = this.#change;
    change.seq = this.#seq++;
    change.previous = null;
    change.previousKey = null;
    change.changed = null;
    change.row = row;
    return change;
  }

  /** `row` is null where no column can say who it was. */
  #attribute(change: RowChange, row: Tuple | null, plan: TrackedPlan): void {
    const { modifierId } = this.#whole;
    if (modifierId !== null) {
      change.modifierId = modifierId;
      change.rung = RUNG_MESSAGE;
      return;
    }
    change.modifierId =
      row === null
        ? UNATTRIBUTED
        : this.#attribution.byColumn(row, plan.modifierColumn, plan.modifierRedactor);
    change.rung = change.modifierId === UNATTRIBUTED ? RUNG_NOBODY : RUNG_COLUMN;
  }

  #planOf(oid: number): RelationPlan {
    const known = this.#plans.get(oid);
    if (known === undefined) {
      throw new WaltrailError(
        'PGOUTPUT_MALFORMED',
        `The replication stream holds a row of relation ${oid} before its description.`,
      );
    }
    return known;
  }
}
