import { WaltrailError } from '../errors.js';
import { POSTGRES_EPOCH_MS } from '../pg/clock.js';
import type { Lsn } from '../pg/lsn.js';
import { MessageReader } from '../pgoutput/reader.js';
import { TAG_BEGIN, TAG_COMMIT } from '../pgoutput/tags.js';
import { BaselineGate, type PlacedBaseline } from './baseline.js';
import type { CommittedBatch, Notice, TrailSession } from './ports.js';
import {
  configurationBegins,
  TransactionRecorder,
  type RecordedCounts,
  type RecorderOptions,
} from './transaction-recorder.js';

/** The source as the pipeline sees it. */
export interface SourceControl {
  pause(): void;
  resume(): void;
  /** Acknowledges that everything before `lsn` is durable in the trail. The source may then discard it. */
  acknowledge(lsn: Lsn): void;
  /**
   * Does `work` as soon as possible, and hands over nothing more until it is done. May be called only while a
   * message is handed over.
   */
  hold(work: () => Promise<void>): void;
}

export interface PipelineOptions extends Omit<RecorderOptions, 'tellTables' | 'rewritten'> {
  readonly source: SourceControl;
  /**
   * Position up to which each source transaction is stored alone, so that the one that the trail refuses is
   * known. Null: many are stored together.
   */
  readonly aloneUntil: Lsn | null;
  /** Returns the statement with which the trail records that a table was rewritten at a position. */
  readonly rewrittenStatement: (table: string, lsn: Lsn) => string;
  /** Called when this record is durable. */
  readonly rewrittenStored: () => void;
  /** Called when the stream has reached the position of {@link Pipeline.changeAt}. */
  readonly reached: (afterLsn: Lsn) => void;
  /** Called with the error that ends the pipeline. */
  readonly failed: (error: WaltrailError) => void;
}

/** Entries of Waltrail's own that belong together. */
export interface Told {
  readonly notices: readonly Notice[];
  /** Statement that the trail executes in the transaction that stores them. */
  readonly statement: string;
  /** Called when they are durable. Never called if the pipeline ends earlier. */
  readonly stored: () => void;
}

/** A commit that was not answered. */
export interface UnansweredCommit {
  /** The checkpoint, if the commit is stored. */
  readonly endLsn: Lsn;
  /** {@link Pipeline.counts}, if the commit is stored. */
  readonly counts: RecordedCounts;
}

const NOTHING: RecordedCounts = { transactions: 0, changes: 0, entries: 0, ignored: 0 };

/** How far a pipeline has come in the stream. */
export interface StreamPosition {
  readonly checkpointLsn: Lsn;
  /**
   * Commit LSN of the transaction that is being read or stored. Null: the position is between two
   * transactions.
   */
  readonly commitLsn: Lsn | null;
  /**
   * Whether everything before this transaction is stored. If so, the error that ended the pipeline concerns
   * this transaction.
   */
  readonly exact: boolean;
  /** Tables (`schema.table`) of the changes that were read. Known only if transactions are stored alone. */
  readonly tables: readonly string[];
}

/**
 * Time after a commit during which small transactions are gathered for the next commit. Causes no delay while
 * the source is quiet.
 */
const LINGER_MS = 5;
/** Transactions without entries move the checkpoint too, but need not do it at once. */
const LINGER_WITHOUT_ENTRIES_MS = 1_000;
const MAX_BATCH_ENTRIES = 10_000;
/**
 * Above this size, rows are sent into the open trail transaction, including rows of a transaction that is
 * still running.
 */
const SPILL_BYTES = 128 * 1024;
/**
 * The same limit if audit rows may name the modifiers of changes that are already written. Rows that were
 * sent must be read again for this. The limit is less than half of {@link HIGH_WATER_BYTES}. Otherwise the
 * source would wait for rows that are not sent.
 */
const SPILL_BYTES_WITH_WITNESSES = 512 * 1024;
/** Above this size, the source is not read until the trail has caught up to half of it. */
const HIGH_WATER_BYTES = 2 * 1024 * 1024;
const SKIP_INTERVAL_MS = 10_000;
const FINISH_LIMIT_MS = 5_000;

/**
 * Turns messages into entries, and keeps the acknowledgement rule. Entries are committed to the trail
 * together with the checkpoint, at commits of the source. Only then does it acknowledge them to the source.
 * Nothing else in Waltrail acknowledges.
 */
export class Pipeline {
  /**
   * Milliseconds from the commit on the source until it was durable in the trail. Measured for the last batch
   * that has a commit time from the source's clock.
   */
  latencyMs: number | null = null;
  readonly #options: PipelineOptions;
  readonly #source: SourceControl;
  readonly #failed: (error: WaltrailError) => void;
  readonly #trail: TrailSession;
  readonly #recorder: TransactionRecorder;
  readonly #reader: MessageReader;
  readonly #spillBytes: number;
  readonly #gate: BaselineGate;
  #paused = false;
  #lastCommitMs = 0;
  /** When the checkpoint was last moved, by a commit or because nothing happened. */
  #checkpointMs = -Infinity;
  #timer: NodeJS.Timeout | undefined;
  #timerAt = 0;
  #over = false;
  /** Entries that wait for the end of the running transaction. */
  #notices: Told[] = [];
  /** Written entries. Their `stored` is called when the next commit is durable. */
  #written: Told[] = [];
  #aloneUntil: Lsn | null;
  #stored: RecordedCounts = NOTHING;
  #unanswered: UnansweredCommit | null = null;
  /** The running skip, if any. Nothing can be committed before its answer. */
  #skip: Promise<void> = Promise.resolve();
  /** The running commit, if any. It is fulfilled even if the commit fails. */
  #committing: Promise<unknown> = Promise.resolve();
  #changeLsn: Lsn | null = null;
  /** The last end of the WAL that the source reported while nothing was pending. */
  #idleAt: Lsn = 0n;

  constructor(options: PipelineOptions) {
    this.#options = options;
    this.#source = options.source;
    this.#failed = options.failed;
    this.#trail = options.trail;
    this.#aloneUntil = options.aloneUntil;
    this.#spillBytes = options.config.attribution.length === 0 ? SPILL_BYTES : SPILL_BYTES_WITH_WITNESSES;
    this.#recorder = new TransactionRecorder({
      ...options,
      tellTables: options.aloneUntil !== null,
      rewritten: (table, lsn) => this.#rewritten(table, lsn),
    });
    this.#reader = new MessageReader(this.#recorder);
    this.#gate = new BaselineGate(options.trail.checkpointLsn);
    this.#trail.onDrain(() => this.#step());
  }

  /** Counts of what became durable in the trail since the pipeline began. */
  get counts(): RecordedCounts {
    return this.#stored;
  }

  /** The commit that was sent and not answered. It may or may not be stored. Null: there is none. */
  get unanswered(): UnansweredCommit | null {
    return this.#unanswered;
  }

  /**
   * Announces the next transaction, with its commit LSN in `bytes` at `at`. If a promise is returned, wait
   * for it before the transaction is handed over. Throws what {@link TransactionRecorder} throws.
   */
  begins(bytes: Buffer, at: number): Promise<void> | undefined {
    // Few sessions hold anything back, so the LSN is not read for each transaction.
    if (!this.#gate.isShut) return undefined;
    const waits = this.#gate.next(bytes.readBigUInt64BE(at));
    this.#placeBaseline();
    return waits;
  }

  /**
   * Holds back transactions that commit at or after `lsn`; null: none. Returns false and holds back nothing
   * if one of them was already handed over, or if transactions are stored alone.
   */
  holdFrom(lsn: Lsn | null): boolean {
    const isLate = lsn !== null && (this.readUntil >= lsn || this.#aloneUntil !== null);
    this.#gate.holdFrom(isLate || this.#over ? null : lsn);
    return !isLate;
  }

  /**
   * Stores existing rows before the first transaction that {@link holdFrom} holds back for their position.
   * After that, nothing is held back.
   */
  place(placed: PlacedBaseline): void {
    this.#gate.place(placed);
    try {
      this.#placeBaseline();
    } catch (error) {
      this.#fail(error);
    }
  }

  /** Takes one pgoutput message. Throws what {@link TransactionRecorder} throws. */
  message(bytes: Buffer, start: number, end: number): void {
    if (this.#over) return;
    if (this.#changeLsn !== null && bytes[start] === TAG_BEGIN)
      this.#changeWhenReached(bytes.readBigUInt64BE(start + 1));
    try {
      this.#reader.read(bytes, start, end);
    } catch (error) {
      this.#recorder.unread(bytes, start, end);
      throw error;
    }
    if (this.#notices.length > 0) this.#writeNotices();
    if (this.#aloneUntil !== null && bytes[start] === TAG_COMMIT) this.#source.hold(() => this.#storeAlone());
    // Also within a read, because one read can bring more rows than a buffer holds.
    if (this.#trail.rows.bytes >= this.#spillBytes) this.#step();
  }

  /** Announces that everything that arrived was handed over. Stores what is due. */
  readDone(): void {
    this.#step();
  }

  /** Stores entries of Waltrail's own, after the running transaction if there is one. */
  tell(told: Told): void {
    if (this.#over) return;
    this.#notices.push(told);
    this.#step();
  }

  /**
   * Announces that the source has sent everything before `walEnd`. If nothing is pending, the checkpoint may
   * move there.
   */
  keepalive(walEnd: Lsn): void {
    const trail = this.#trail;
    if (this.#over || this.#recorder.inTransaction) return;
    this.#gate.quietUntil(walEnd);
    this.#placeBaseline();
    if (trail.busy || trail.committable || trail.pendingEntries > 0) return;
    this.#idleAt = walEnd;
    if (this.#aloneUntil !== null && walEnd > this.#aloneUntil) {
      // The transaction that could not be stored had no published changes, or is already stored.
      this.#aloneUntil = null;
      this.#step();
      return;
    }
    if (this.#changeLsn !== null && walEnd >= this.#changeLsn) {
      this.#options.reached(trail.checkpointLsn);
      return this.#fail(configurationBegins());
    }
    const now = performance.now();
    if (walEnd <= trail.checkpointLsn || now - this.#checkpointMs < SKIP_INTERVAL_MS) return;
    this.#checkpointMs = now;
    this.#skip = trail.skipTo(walEnd).then(
      () => {
        this.#source.acknowledge(walEnd);
        this.#step();
      },
      (error: unknown) => this.#fail(error),
    );
  }

  /**
   * Sets the position at which another configuration begins: with the first transaction that commits at or
   * after it. Only the first call counts.
   */
  changeAt(lsn: Lsn): void {
    this.#changeLsn ??= lsn;
  }

  /** Everything that was committed before this position is durable in the trail. */
  get storedUntil(): Lsn {
    const { checkpointLsn } = this.#trail;
    return this.#idleAt > checkpointLsn ? this.#idleAt : checkpointLsn;
  }

  /** The position that the pipeline has reached, or at which it has ended. */
  get position(): StreamPosition {
    const { checkpointLsn } = this.#trail;
    const { inTransaction, commitLsn, tables } = this.#recorder;
    // A stored commit lies before the checkpoint, which is its end.
    const unstored = commitLsn >= checkpointLsn;
    const exact = this.#aloneUntil !== null && unstored;
    return {
      checkpointLsn,
      commitLsn: inTransaction || exact ? commitLsn : null,
      exact,
      tables: exact ? tables : [],
    };
  }

  /** Commit LSN of the last transaction that was read; zero before the first. */
  get readUntil(): Lsn {
    return this.#recorder.commitLsn;
  }

  /**
   * Commits complete transactions, if the trail accepts them, and ends the pipeline. Everything else stays on
   * the source.
   *
   * @param options.patient whether to wait for a running commit and then commit the rest. Only if nothing has
   *   failed, because a failed trail never answers.
   */
  async finish({ patient }: { readonly patient: boolean }): Promise<void> {
    clearTimeout(this.#timer);
    this.#source.pause();
    if (!this.#over && (patient || !this.#trail.busy)) {
      const committed = Promise.all([this.#committing, this.#skip]).then(() => this.#commitWhole());
      // A trail that does not answer must not delay the end. What it has not confirmed is read again.
      let limit: NodeJS.Timeout | undefined;
      await Promise.race([
        committed,
        new Promise((resolve) => (limit = setTimeout(resolve, FINISH_LIMIT_MS))),
      ]);
      clearTimeout(limit);
    }
    this.#over = true;
  }

  /** Commits complete transactions, if the trail accepts them. Never rejects. */
  async #commitWhole(): Promise<void> {
    if (!this.#trail.busy && this.#trail.committable) await this.#commit().catch(() => undefined);
  }

  #changeWhenReached(commitLsn: Lsn): void {
    if (commitLsn < this.#changeLsn!) return;
    this.#options.reached(this.#trail.boundaryLsn);
    throw configurationBegins();
  }

  /** Does what is due: commits, sends rows, and pauses or resumes the source. */
  #step(): void {
    if (this.#over) return;
    const trail = this.#trail;
    try {
      if (this.#notices.length > 0) this.#writeNotices();
      if (this.#aloneUntil === null && !trail.busy && trail.committable) this.#commitWhenDue();
      if (trail.unsentBytes >= this.#spillBytes) trail.spill();
    } catch (error) {
      this.#fail(error);
      return;
    }
    if (!this.#paused && trail.pendingBytes > HIGH_WATER_BYTES) {
      this.#paused = true;
      this.#source.pause();
    } else if (this.#paused && trail.pendingBytes < HIGH_WATER_BYTES / 2) {
      this.#paused = false;
      this.#source.resume();
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
    this.#commit().then(
      () => this.#step(),
      (error: unknown) => this.#fail(error),
    );
  }

  async #storeAlone(): Promise<void> {
    await this.#skip;
    if (this.#over) return;
    const { endLsn } = await this.#commit();
    if (this.#aloneUntil !== null && endLsn > this.#aloneUntil) this.#aloneUntil = null;
  }

  async #commit(): Promise<CommittedBatch> {
    const written = this.#written.splice(0);
    const { counts } = this.#recorder;
    // `commit` takes what is written up to the last boundary before it returns. `counts` are those up to this
    // boundary.
    const { boundaryLsn, checkpointLsn } = this.#trail;
    const committing = this.#trail.commit();
    this.#committing = committing.catch(() => undefined);
    if (boundaryLsn > checkpointLsn) this.#unanswered = { endLsn: boundaryLsn, counts };
    const batch = await committing;
    this.#unanswered = null;
    this.#stored = counts;
    this.#committed(batch);
    for (const { stored } of written) stored();
    return batch;
  }

  /** Writes notices between two transactions. Within one, they would be rolled back or read again with it. */
  #writeNotices(): void {
    // While transactions are stored alone, nothing else is stored. Notices wait until this has ended.
    if (this.#recorder.inTransaction || this.#aloneUntil !== null) return;
    for (const { notices, statement } of this.#notices) {
      for (const notice of notices) this.#recorder.notice(notice);
      this.#trail.between(statement);
    }
    this.#written.push(...this.#notices.splice(0));
  }

  /**
   * Writes a baseline between two transactions, once everything before the position of its rows was handed
   * over.
   */
  #placeBaseline(): void {
    const placed = this.#over || this.#recorder.inTransaction ? null : this.#gate.take();
    if (placed === null) return;
    const trail = this.#trail;
    // All of it belongs to one commit. Rows may be sent ahead, but nothing is committed before this returns.
    this.#recorder.baseline(placed.baseline, () => {
      trail.between(null);
      if (trail.rows.bytes >= this.#spillBytes) trail.spill();
    });
    this.#written.push({ notices: [], statement: '', stored: placed.stored });
    this.#gate.holdFrom(null);
    this.#step();
  }

  /** Records that a table was rewritten, together with the transaction after which it is called. */
  #rewritten(table: string, lsn: Lsn): void {
    const { rewrittenStatement, rewrittenStored } = this.#options;
    const statement = rewrittenStatement(table, lsn);
    this.#trail.between(statement);
    this.#written.push({ notices: [], statement, stored: rewrittenStored });
  }

  /**
   * Sets the timer. An earlier time replaces a later one, because entries must not wait as long as a
   * transaction without entries may.
   */
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
    this.#source.acknowledge(batch.endLsn);
    this.#lastCommitMs = this.#checkpointMs = performance.now();
    if (batch.committedAt !== null)
      this.latencyMs = Math.max(0, Date.now() - POSTGRES_EPOCH_MS - Number(batch.committedAt / 1000n));
    this.#recorder.stored(batch.endLsn);
  }

  #fail(error: unknown): void {
    if (this.#over) return;
    this.#over = true;
    clearTimeout(this.#timer);
    this.#failed(
      error instanceof WaltrailError
        ? error
        : new WaltrailError('PIPELINE_FAILED', 'The pipeline met an unexpected error.', {
            cause: error,
          }),
    );
  }
}
