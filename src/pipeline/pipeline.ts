import { WaltrailError } from '../errors.js';
import { POSTGRES_EPOCH_MS } from '../pg/clock.js';
import { formatLsn, type Lsn } from '../pg/lsn.js';
import type { CommittedBatch, TrailSession } from './ports.js';
import { TransactionRecorder, type RecordedCounts, type RecorderOptions } from './transaction-recorder.js';

/** The source as the pipeline sees it. */
export interface SourceControl {
  pause(): void;
  resume(): void;
  /** Everything before `lsn` is durable in the trail: the source may forget it. */
  acknowledge(lsn: Lsn): void;
}

export interface PipelineOptions extends RecorderOptions {
  readonly source: SourceControl;
  /** Called with what ends the pipeline. */
  readonly failed: (error: WaltrailError) => void;
}

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
export class Pipeline {
  /** Commit on the source to durable in the trail, of the last batch whose commit time the source's clock told. */
  latencyMs: number | null = null;
  readonly #source: SourceControl;
  readonly #failed: (error: WaltrailError) => void;
  readonly #trail: TrailSession;
  readonly #recorder: TransactionRecorder;
  #paused = false;
  #lastCommitMs = 0;
  /** When the checkpoint was moved last, by a commit or because nothing happened. */
  #checkpointMs = -Infinity;
  #timer: NodeJS.Timeout | undefined;
  #timerAt = 0;
  #over = false;

  constructor(options: PipelineOptions) {
    this.#source = options.source;
    this.#failed = options.failed;
    this.#trail = options.trail;
    this.#recorder = new TransactionRecorder(options);
    this.#trail.onDrain(() => this.#step());
  }

  /** Since the pipeline began. */
  get counts(): RecordedCounts {
    return this.#recorder.counts;
  }

  /** One pgoutput message. */
  message(bytes: Buffer, start: number, end: number): void {
    if (this.#over) return;
    this.#recorder.message(bytes, start, end);
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
    if (
      this.#over ||
      this.#recorder.inTransaction ||
      trail.busy ||
      trail.committable ||
      trail.pendingEntries > 0
    )
      return;
    const now = performance.now();
    if (walEnd <= trail.checkpointLsn || now - this.#checkpointMs < SKIP_INTERVAL_MS) return;
    this.#checkpointMs = now;
    trail.skipTo(walEnd).then(
      () => {
        this.#source.acknowledge(walEnd);
        this.#step();
      },
      (error: unknown) => this.#fail(error),
    );
  }

  /** The same error, with the transaction at which the source came to its end: what a person has to look at. */
  located(error: WaltrailError): WaltrailError {
    const where = this.#recorder.inTransaction
      ? `in the transaction that commits at ${formatLsn(this.#recorder.commitLsn)}`
      : `after ${formatLsn(this.#trail.checkpointLsn)}`;
    const { code, message, remedy, details, cause } = error;
    return new WaltrailError(code, `${message} It happened ${where}.`, { remedy, details, cause });
  }

  /** Commits what is whole, if the trail takes it, and ends. Anything else stays on the source. */
  async finish(): Promise<void> {
    clearTimeout(this.#timer);
    this.#source.pause();
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
