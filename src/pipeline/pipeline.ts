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
  /** Everything before `lsn` is durable in the trail: the source may forget it. */
  acknowledge(lsn: Lsn): void;
  /**
   * Does `work` as soon as may be, and hands over nothing more before it is done. Only while a message is
   * handed over.
   */
  hold(work: () => Promise<void>): void;
}

export interface PipelineOptions extends Omit<RecorderOptions, 'tellTables' | 'rewritten'> {
  readonly source: SourceControl;
  /**
   * Stores each source transaction alone until one that ends behind this, so that it is known which one the
   * trail refuses; null: many together.
   */
  readonly aloneUntil: Lsn | null;
  /** What the trail executes to record that a table was rewritten at a position. */
  readonly rewrittenStatement: (table: string, lsn: Lsn) => string;
  /** Called when that is durable. */
  readonly rewrittenStored: () => void;
  /** Called where the stream has come to the position of {@link Pipeline.changeAt}. */
  readonly reached: (afterLsn: Lsn) => void;
  /** Called with what ends the pipeline. */
  readonly failed: (error: WaltrailError) => void;
}

/** Entries of Waltrail's own that belong together. */
export interface Told {
  readonly notices: readonly Notice[];
  /** What the trail executes in the transaction that stores them. */
  readonly statement: string;
  /** Called when they are durable; never, where the pipeline ends before. */
  readonly stored: () => void;
}

/** A commit whose answer did not come. */
export interface UnansweredCommit {
  /** Where the checkpoint is if it is stored. */
  readonly endLsn: Lsn;
  /** {@link Pipeline.counts} if it is stored. */
  readonly counts: RecordedCounts;
}

const NOTHING: RecordedCounts = { transactions: 0, changes: 0, entries: 0, ignored: 0 };

/** Where in the stream a pipeline has come to. */
export interface StreamPosition {
  readonly checkpointLsn: Lsn;
  /** Of the transaction that is being read or stored; null: between two. */
  readonly commitLsn: Lsn | null;
  /** Everything before it is stored, so what has ended the pipeline has to do with this transaction. */
  readonly exact: boolean;
  /** `schema.table` of what was read of it; only known where transactions are stored alone. */
  readonly tables: readonly string[];
}

/**
 * Gathering for this long after a commit makes one commit of many small transactions, at no cost while it is
 * quiet.
 */
const LINGER_MS = 5;
/** Transactions without entries move the checkpoint too, but need not do it at once. */
const LINGER_WITHOUT_ENTRIES_MS = 1_000;
const MAX_BATCH_ENTRIES = 10_000;
/**
 * Above this, rows are sent on into the open trail transaction, also those of a transaction that is still
 * running.
 */
const SPILL_BYTES = 128 * 1024;
/**
 * The same where audit rows may name who made changes that are written already: what has left has to be read
 * again for it. Below half of {@link HIGH_WATER_BYTES}, or the source would wait for rows that are not sent.
 */
const SPILL_BYTES_WITH_WITNESSES = 512 * 1024;
/** Above this the source is not read until the trail has caught up to half of it. */
const HIGH_WATER_BYTES = 2 * 1024 * 1024;
const SKIP_INTERVAL_MS = 10_000;
const FINISH_LIMIT_MS = 5_000;

/**
 * The way of a change, and the ack rule: messages become entries, entries are committed to the trail at
 * source commits together with the checkpoint, and only then is the source told. Nothing else in Waltrail
 * acknowledges.
 */
export class Pipeline {
  /**
   * Commit on the source to durable in the trail, of the last batch whose commit time the source's clock
   * told.
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
  /** When the checkpoint was moved last, by a commit or because nothing happened. */
  #checkpointMs = -Infinity;
  #timer: NodeJS.Timeout | undefined;
  #timerAt = 0;
  #over = false;
  /** Waiting for the end of the running transaction. */
  #notices: Told[] = [];
  /** Written, and to be told when the next commit is durable. */
  #written: Told[] = [];
  #aloneUntil: Lsn | null;
  #stored: RecordedCounts = NOTHING;
  #unanswered: UnansweredCommit | null = null;
  /** The skip under way, if any: nothing can be committed before its answer. */
  #skip: Promise<void> = Promise.resolve();
  /** The commit under way, if any; fulfilled whatever became of it. */
  #committing: Promise<unknown> = Promise.resolve();
  #changeLsn: Lsn | null = null;
  /** The last end of the WAL that the source told while nothing was pending. */
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

  /** What is durable in the trail, since the pipeline began. */
  get counts(): RecordedCounts {
    return this.#stored;
  }

  /** The commit that was sent and not answered: it may be stored, or may not. Null: there is none. */
  get unanswered(): UnansweredCommit | null {
    return this.#unanswered;
  }

  /**
   * The transaction that is handed over next has its commit LSN in `bytes` at `at`. A promise has to be
   * waited for before. Throws what {@link TransactionRecorder} throws.
   */
  begins(bytes: Buffer, at: number): Promise<void> | undefined {
    // Few sessions ever hold anything back: no number is made for each transaction.
    if (!this.#gate.isShut) return undefined;
    const waits = this.#gate.next(bytes.readBigUInt64BE(at));
    this.#placeBaseline();
    return waits;
  }

  /**
   * Holds back transactions that commit at `lsn` or behind it; null: none. False, and nothing is held back,
   * where one of them was handed over already, or transactions are stored alone.
   */
  holdFrom(lsn: Lsn | null): boolean {
    const isLate = lsn !== null && (this.readUntil >= lsn || this.#aloneUntil !== null);
    this.#gate.holdFrom(isLate || this.#over ? null : lsn);
    return !isLate;
  }

  /**
   * Stores rows that existed already, before the first transaction that is held back by {@link holdFrom} with
   * the position of the rows. Nothing is held back any more then.
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
    // Not only when a read is done: a read can bring more than a buffer of rows holds.
    if (this.#trail.rows.bytes >= this.#spillBytes) this.#step();
  }

  /** Everything that had arrived was handed over: time to store. */
  readDone(): void {
    this.#step();
  }

  /**
   * Stores entries of Waltrail's own, behind the running transaction, if there is one.
   */
  tell(told: Told): void {
    if (this.#over) return;
    this.#notices.push(told);
    this.#step();
  }

  /**
   * The source has nothing before `walEnd` that was not sent: where nothing is pending, the checkpoint may
   * follow.
   */
  keepalive(walEnd: Lsn): void {
    const trail = this.#trail;
    if (this.#over || this.#recorder.inTransaction) return;
    this.#gate.quietUntil(walEnd);
    this.#placeBaseline();
    if (trail.busy || trail.committable || trail.pendingEntries > 0) return;
    this.#idleAt = walEnd;
    if (this.#aloneUntil !== null && walEnd > this.#aloneUntil) {
      // What could not be stored was none of the published changes, or is behind us.
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
   * Another configuration begins with the first transaction that commits at this position or behind it. The
   * first call counts.
   */
  changeAt(lsn: Lsn): void {
    this.#changeLsn ??= lsn;
  }

  /** Everything that was committed before this position is durable in the trail. */
  get storedUntil(): Lsn {
    const { checkpointLsn } = this.#trail;
    return this.#idleAt > checkpointLsn ? this.#idleAt : checkpointLsn;
  }

  /** Where it is, or has ended. */
  get position(): StreamPosition {
    const { checkpointLsn } = this.#trail;
    const { inTransaction, commitLsn, tables } = this.#recorder;
    // A commit that is stored lies before the checkpoint, which is its end.
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
   * Commits what is whole, if the trail takes it, and ends. Anything else stays on the source.
   *
   * @param options.patient waits for a commit that is under way, and then commits what is left: only where
   *   nothing has failed, for a trail that is gone never answers
   */
  async finish({ patient }: { readonly patient: boolean }): Promise<void> {
    clearTimeout(this.#timer);
    this.#source.pause();
    if (!this.#over && (patient || !this.#trail.busy)) {
      const committed = Promise.all([this.#committing, this.#skip]).then(() => this.#commitWhole());
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

  /** Commits what is whole, where the trail takes it. Never rejects. */
  async #commitWhole(): Promise<void> {
    if (!this.#trail.busy && this.#trail.committable) await this.#commit().catch(() => undefined);
  }

  #changeWhenReached(commitLsn: Lsn): void {
    if (commitLsn < this.#changeLsn!) return;
    this.#options.reached(this.#trail.boundaryLsn);
    throw configurationBegins();
  }

  /** Whatever can be done now: commit, spill, slow the source down or let it go on. */
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
    // Takes what is written up to the last boundary, which are these counts, before it returns.
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

  /** Between two transactions: what is written within one would be rolled back, or read again, with it. */
  #writeNotices(): void {
    // While transactions are stored alone, nothing else is: what is told waits for the end of that.
    if (this.#recorder.inTransaction || this.#aloneUntil !== null) return;
    for (const { notices, statement } of this.#notices) {
      for (const notice of notices) this.#recorder.notice(notice);
      this.#trail.between(statement);
    }
    this.#written.push(...this.#notices.splice(0));
  }

  /** Between two transactions, where everything before the position of the rows was handed over. */
  #placeBaseline(): void {
    const placed = this.#over || this.#recorder.inTransaction ? null : this.#gate.take();
    if (placed === null) return;
    const trail = this.#trail;
    // All of it in one commit: whatever is sent ahead, nothing is committed before this returns.
    this.#recorder.baseline(placed.baseline, () => {
      trail.between(null);
      if (trail.rows.bytes >= this.#spillBytes) trail.spill();
    });
    this.#written.push({ notices: [], statement: '', stored: placed.stored });
    this.#gate.holdFrom(null);
    this.#step();
  }

  /** Stored with the transaction behind which it is called. */
  #rewritten(table: string, lsn: Lsn): void {
    const { rewrittenStatement, rewrittenStored } = this.#options;
    const statement = rewrittenStatement(table, lsn);
    this.#trail.between(statement);
    this.#written.push({ notices: [], statement, stored: rewrittenStored });
  }

  /**
   * An earlier moment replaces a later one: entries must not wait as long as a transaction without any may.
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
        : new WaltrailError('PIPELINE_FAILED', 'The pipeline met an error it does not know.', {
            cause: error,
          }),
    );
  }
}
