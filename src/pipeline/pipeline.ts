import { isDeepStrictEqual } from 'node:util';
import { WaltrailError } from '../errors.js';
import type { Log } from '../log.js';
import { formatLsn, type Lsn } from '../pg/lsn.js';
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
import { Attribution, readAttribution, UNATTRIBUTED, type MessageAttribution } from './attribution.js';
import { EntryBuilder } from './entry-builder.js';
import { NameFollower } from './name-follower.js';
import { markNotSent } from './old-row.js';
import type { CommittedBatch, TrailSession } from './ports.js';
import { planRelation, type RelationPlan, type TrackedPlan } from './relation-plan.js';
import { RowChange } from './row-change.js';
import { knownRelation, SchemaFollower } from './schema-change.js';

/** The source as the pipeline sees it. */
export interface SourceControl {
  pause(): void;
  resume(): void;
  /** Everything before `lsn` is durable in the trail: the source may forget it. */
  acknowledge(lsn: Lsn): void;
}

export interface PipelineOptions {
  readonly config: TrackingConfig;
  readonly trail: TrailSession;
  readonly source: SourceControl;
  readonly log: Log;
  readonly redactionKey: Buffer;
  /** Columns of a table's primary key; empty where it has none. */
  readonly primaryKey: (schema: string, table: string) => readonly string[];
  /** Whether a table is partitioned. */
  readonly partitioned: (schema: string, table: string) => boolean;
  /** Name of a published table, by oid, in the source's catalog when the session began. */
  readonly publishedAs: (relationOid: number) => TableName | undefined;
  /**
   * What late logical messages said, by commit LSN. A message that arrives after rows of its transaction have left for the
   * trail is put here and the transaction is read again; so this must outlive the pipeline.
   */
  readonly lateAttributions: LateAttributions;
  /** Called with what ends the pipeline. */
  readonly failed: (error: WaltrailError) => void;
}

/** By commit LSN: what the transaction's first `messages` logical messages said together. */
export type LateAttributions = Map<
  Lsn,
  { readonly attribution: MessageAttribution; readonly messages: number }
>;

/** Counters since the pipeline began. */
export interface PipelineCounts {
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

/** Gathering for this long after a commit makes one commit of many small transactions, at no cost while it is quiet. */
const LINGER_MS = 5;
/** Transactions without entries move the checkpoint too, but need not do it at once. */
const LINGER_WITHOUT_ENTRIES_MS = 1_000;
const MAX_BATCH_ENTRIES = 10_000;
/** Above this, rows are sent on into the open trail transaction, also those of a transaction that is still running. */
const SPILL_BYTES = 128 * 1024;
/** Above this the source is not read until the trail has caught up to half of it. */
const HIGH_WATER_BYTES = 2 * 1024 * 1024;
const SKIP_INTERVAL_MS = 10_000;
const FINISH_LIMIT_MS = 5_000;

/**
 * The way of a change, and the ack rule: messages become entries, entries are committed to the trail at source commits
 * together with the checkpoint, and only then is the source told. Nothing else in Waltrail acknowledges.
 */
export class Pipeline implements MessageHandler {
  readonly counts: PipelineCounts = {
    transactions: 0,
    changes: 0,
    entries: 0,
    ignored: 0,
  };
  /** Commit on the source to durable in the trail, of the last batch. */
  latencyMs: number | null = null;
  readonly #options: PipelineOptions;
  readonly #trail: TrailSession;
  readonly #reader = new MessageReader(this);
  readonly #builder: EntryBuilder;
  readonly #attribution: Attribution;
  readonly #names: NameFollower;
  readonly #schemas: SchemaFollower;
  readonly #plans = new Map<number, RelationPlan>();
  /** The running transaction; the message is what the transaction's logical messages said. */
  #inTransaction = false;
  /** Commit LSN of the running transaction: in bytes, for few transactions ask for it. */
  readonly #commitLsn = Buffer.alloc(8);
  #seq = 0;
  #entriesBefore = 0;
  #message: MessageAttribution | null = null;
  /** Name of the running transaction's replication origin. */
  #origin: string | null = null;
  /** Logical messages of the running transaction so far, and how many of them an earlier reading has already heard. */
  #messages = 0;
  #messagesKnown = 0;
  /** The transaction will be read again: from here on only its other messages matter. */
  #late = false;
  #messageModifier: number | null = null;
  readonly #change = new RowChange();
  #paused = false;
  #lastCommitMs = 0;
  /** When the checkpoint was moved last, by a commit or because nothing happened. */
  #checkpointMs = -Infinity;
  #timer: NodeJS.Timeout | undefined;
  #timerAt = 0;
  #over = false;

  constructor(options: PipelineOptions) {
    const { trail, config } = options;
    const { dictionary, lookups } = trail;
    this.#options = options;
    this.#trail = trail;
    this.#builder = new EntryBuilder({ rows: trail.rows, dictionary, lookups });
    this.#attribution = new Attribution({
      dictionary,
      lookups,
      modifiersTable: config.modifiers?.table ?? null,
    });
    this.#schemas = new SchemaFollower({ dictionary, builder: this.#builder });
    this.#names = new NameFollower({ lookups, changed: (table) => this.#attribution.namesChanged(table) });
    trail.onDrain(() => this.#step());
  }

  /** One pgoutput message. */
  message(bytes: Buffer, start: number, end: number): void {
    if (this.#over) return;
    if (this.#late && bytes[start] !== TAG_LOGICAL_MESSAGE && bytes[start] !== TAG_COMMIT) return;
    this.#reader.read(bytes, start, end);
    // Not only when a read is done: a read can bring more than a buffer of rows holds.
    if (this.#trail.rows.bytes >= SPILL_BYTES) this.#step();
  }

  /** Everything that had arrived was handed over: time to store. */
  readDone(): void {
    this.#step();
  }

  /** The source has nothing before `walEnd` that was not sent: where nothing is pending, the checkpoint may follow. */
  keepalive(walEnd: Lsn): void {
    const trail = this.#trail;
    if (this.#over || this.#inTransaction || trail.busy || trail.committable || trail.pendingEntries > 0)
      return;
    const now = performance.now();
    if (walEnd <= trail.checkpointLsn || now - this.#checkpointMs < SKIP_INTERVAL_MS) return;
    this.#checkpointMs = now;
    trail.skipTo(walEnd).then(
      () => {
        this.#options.source.acknowledge(walEnd);
        this.#step();
      },
      (error: unknown) => this.#fail(error),
    );
  }

  /** The same error, with the transaction at which the source came to its end: what a person has to look at. */
  located(error: WaltrailError): WaltrailError {
    const where = this.#inTransaction
      ? `in the transaction that commits at ${formatLsn(this.#commitLsn.readBigUInt64BE())}`
      : `after ${formatLsn(this.#trail.checkpointLsn)}`;
    const { code, message, remedy, details, cause } = error;
    return new WaltrailError(code, `${message} It happened ${where}.`, { remedy, details, cause });
  }

  /** Commits what is whole, if the trail takes it, and ends. Anything else stays on the source. */
  async finish(): Promise<void> {
    clearTimeout(this.#timer);
    this.#options.source.pause();
    if (!this.#over && !this.#trail.busy && this.#trail.committable) {
      const committed = this.#trail
        .commit()
        .then((batch) => this.#committed(batch))
        .catch(() => undefined);
      // A trail that does not answer must not hold up the end: what it has not confirmed is read again.
      let limit: NodeJS.Timeout | undefined;
      await Promise.race([
        committed,
        new Promise((resolve) => (limit = setTimeout(resolve, FINISH_LIMIT_MS))),
      ]);
      clearTimeout(limit);
    }
    this.#over = true;
  }

  begin(bytes: Buffer, at: number): void {
    this.#inTransaction = true;
    for (let index = 0; index < 8; index++) this.#commitLsn[index] = bytes[at + index]!;
    this.#seq = 0;
    this.#entriesBefore = this.counts.entries;
    this.#trail.rows.transaction(bytes, at);
    const late =
      this.#options.lateAttributions.size === 0
        ? undefined
        : this.#options.lateAttributions.get(this.#commitLsn.readBigUInt64BE());
    this.#messages = 0;
    this.#messagesKnown = late?.messages ?? 0;
    this.#late = false;
    this.#origin = null;
    this.#setMessage(late?.attribution ?? null);
  }

  commit(bytes: Buffer, at: number): void {
    if (this.#late) {
      throw new WaltrailError(
        'PIPELINE_READ_AGAIN',
        'A logical message came after rows of its transaction were sent to the trail.',
      );
    }
    this.#inTransaction = false;
    this.#names.endTransaction();
    this.counts.transactions++;
    this.#trail.boundary(bytes, at + 8);
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
    const read = readAttribution(message, this.#options.config.redact);
    if (read === undefined) return;
    if (read === null) {
      this.#options.log.warn(
        { prefix: message.prefix },
        'A logical message could not be read; its transaction is attributed without it.',
      );
      return;
    }
    if (++this.#messages <= this.#messagesKnown) return;
    const merged = {
      modifier: read.modifier ?? this.#message?.modifier ?? null,
      context: read.context ?? this.#message?.context ?? null,
    };
    // An application may say the same before each of its statements.
    if (isDeepStrictEqual(merged, this.#message)) return;
    this.#setMessage(merged);
    if (this.counts.entries === this.#entriesBefore) return;
    const patched = this.#trail.rows.reattribute({
      modifierId: this.#messageModifier,
      rung: 'm',
      extra: merged.context === null ? null : this.#builder.extra,
    });
    if (patched) return;
    // Heard to its end first, so that it is read twice and not once for each of its messages.
    this.#late = true;
    this.#options.lateAttributions.set(this.#commitLsn.readBigUInt64BE(), {
      attribution: merged,
      messages: this.#messages,
    });
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

  #setMessage(message: MessageAttribution | null): void {
    this.#message = message;
    this.#messageModifier = message === null ? null : this.#attribution.byMessage(message);
    this.#setExtra();
  }

  origin({ name }: Origin): void {
    this.#origin = name;
    this.#setExtra();
  }

  #setExtra(): void {
    const context = this.#message?.context ?? null;
    if (context === null && this.#origin === null) {
      this.#builder.extra = null;
      return;
    }
    const members = [
      ...(context === null ? [] : [`"context":${context}`]),
      ...(this.#origin === null ? [] : [`"origin":${JSON.stringify(this.#origin)}`]),
    ];
    this.#builder.extra = Buffer.from(`{${members.join(',')}}`);
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
    if (this.#messageModifier !== null) {
      change.modifierId = this.#messageModifier;
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

  /** Whatever can be done now: commit, spill, slow the source down or let it go on. */
  #step(): void {
    if (this.#over) return;
    const trail = this.#trail;
    try {
      if (!trail.busy && trail.committable) this.#commitWhenDue();
      if (trail.unsentBytes >= SPILL_BYTES) trail.spill();
    } catch (error) {
      this.#fail(error);
      return;
    }
    if (!this.#paused && trail.pendingBytes > HIGH_WATER_BYTES) {
      this.#paused = true;
      this.#options.source.pause();
    } else if (this.#paused && trail.pendingBytes < HIGH_WATER_BYTES / 2) {
      this.#paused = false;
      this.#options.source.resume();
    }
  }

  #commitWhenDue(): void {
    const trail = this.#trail;
    const linger = trail.pendingEntries === 0 ? LINGER_WITHOUT_ENTRIES_MS : LINGER_MS;
    const waitMs = this.#lastCommitMs + linger - performance.now();
    if (waitMs > 0 && trail.pendingEntries < MAX_BATCH_ENTRIES) {
      this.#stepIn(waitMs);
      return;
    }
    clearTimeout(this.#timer);
    this.#timer = undefined;
    trail.commit().then(
      (batch) => {
        this.#committed(batch);
        this.#step();
      },
      (error: unknown) => this.#fail(error),
    );
  }

  /** An earlier moment replaces a later one: entries must not wait as long as a transaction without any may. */
  #stepIn(waitMs: number): void {
    const at = performance.now() + waitMs;
    if (this.#timer !== undefined && this.#timerAt <= at) return;
    clearTimeout(this.#timer);
    this.#timerAt = at;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#step();
    }, waitMs);
  }

  #committed(batch: CommittedBatch): void {
    this.#options.source.acknowledge(batch.endLsn);
    this.#lastCommitMs = this.#checkpointMs = performance.now();
    this.latencyMs = Math.max(0, Date.now() - POSTGRES_EPOCH_MS - Number(batch.committedAt / 1000n));
    for (const lsn of this.#options.lateAttributions.keys()) {
      if (lsn < batch.endLsn) this.#options.lateAttributions.delete(lsn);
    }
  }

  #fail(error: unknown): void {
    if (this.#over) return;
    this.#over = true;
    clearTimeout(this.#timer);
    this.#options.failed(
      error instanceof WaltrailError
        ? error
        : new WaltrailError('PIPELINE_FAILED', 'The pipeline met an error it does not know.', {
            cause: error,
          }),
    );
  }
}

const POSTGRES_EPOCH_MS = Date.UTC(2000, 0, 1);
