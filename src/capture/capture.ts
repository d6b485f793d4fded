import os from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { codeOf, isWaltrailError, WaltrailError } from '../errors.js';
import type { Log } from '../log.js';
import { formatLsn, type Lsn } from '../pg/lsn.js';
import type { CaptureStatus, CaptureWaiting } from '../pipeline/capture-status.js';
import { LateAttributions } from '../pipeline/late-attributions.js';
import type { StreamPosition, UnansweredCommit } from '../pipeline/pipeline.js';
import { configurationBegins, type RecordedCounts } from '../pipeline/transaction-recorder.js';
import { UnknownTenants } from '../pipeline/unknown-tenants.js';
import { UnreadMessages } from '../pipeline/unread-messages.js';
import { removeLeftSpools } from '../source/spool.js';
import type { TrackingConfig } from '../tracking/rules.js';
import { readCheckpointSlot } from '../trail/checkpoint-slot.js';
import { urlOf } from '../trail/roles.js';
import type { Stuck } from '../trail/write/stuck.js';
import { BaselineAttempts } from './baseline-attempts.js';
import { FollowedConfiguration } from './followed-configuration.js';
import { PACE, type Pace } from './pace.js';
import { tellStuck } from './pass-over.js';
import { isRefusal, located, Repeats, stuckError } from './repeats.js';
import { BACKLOG_READ, openSession, type Session } from './session.js';
import { Troubles } from './troubles.js';
import { StreamingPause } from './streaming-pause.js';

export interface Capture {
  status(): CaptureStatus;
  /**
   * Resolves when capture streams or stands by for the first time. Never rejects: `status().error` has the
   * error.
   */
  readonly ready: Promise<void>;
  /**
   * Loads another configuration. It takes effect at once, or at the position that `apply` marks. Resolves
   * within seconds, when it is known which. If capture is not open by then, it takes the configuration over
   * when it opens. Never rejects.
   */
  reload(config: TrackingConfig, asked: { readonly by: string | null }): Promise<Reloaded>;
  /** Commits the transactions that are complete and closes everything. May be called again. */
  stop(): Promise<void>;
}

/**
 * The state of a reloaded configuration. It is `in effect`, or it `waits for apply`, or it `waits for
 * position`: the position from which the source sends what it asks for. `not open`: capture stands by, or
 * cannot open now.
 */
export type Reloaded = 'in effect' | 'waits for apply' | 'waits for position' | 'not open';

const FIRST_BACKOFF_MS = 100;
/**
 * Longest wait between two sessions. Including the time to connect, a source is checked within five seconds
 * of its return after a failover.
 */
const MAX_BACKOFF_MS = 3_000;
/** Time that a session must last for the wait after the next error to be the shortest again. */
const STABLE_MS = 10_000;
const STANDBY_INTERVAL_MS = 1_000;
/** How long a reload waits until capture has decided about it. */
const RELOAD_LIMIT_MS = 10_000;
/** Errors after which the same transaction is read again, in another way. Nothing is wrong. */
const READ_AGAIN: ReadonlySet<string> = new Set(['PIPELINE_READ_AGAIN', 'SOURCE_READ_WHOLE']);
/** True if storing transactions one at a time could not find the cause of the session's end. */
const isNoTrouble = (error: WaltrailError): boolean =>
  error === BACKLOG_READ || error.code === 'TRACKING_CHANGED' || READ_AGAIN.has(error.code);
/** Milliseconds between two checks whether capture has passed the position that it waited at. */
const PROGRESS_INTERVAL_MS = 200;
/**
 * Number of successive sessions without anything stored, after which transactions are stored one at a time.
 */
const BARREN_SESSIONS = 2;

export interface CaptureOptions {
  readonly config: TrackingConfig;
  /**
   * Reads the file of `config` again. Called when the source announces a configuration that is not known
   * here. Returns undefined if the file cannot be read, is invalid, or differs in what needs a restart.
   */
  readonly readConfig?: () => TrackingConfig | undefined;
  readonly log: Log;
  /** Folder for transactions in progress. Default: the system's folder for temporary files. */
  readonly spoolFolder?: string;
  /** Differences from {@link PACE}, for tests. */
  readonly pace?: Partial<Pace>;
}

/**
 * Captures until stopped, one session after another. The wait between two depends on the error that ended the
 * first.
 */
export function startCapture(options: CaptureOptions): Capture {
  const capture = new Supervisor(options);
  const running = capture.run();
  return {
    status: () => capture.status(),
    ready: capture.ready,
    reload: (config, asked) => capture.reload(config, asked),
    stop: async () => {
      capture.stop();
      await running;
    },
  };
}

class Supervisor {
  readonly ready: Promise<void>;
  readonly #followed: FollowedConfiguration;
  readonly #namesTried = new Map<string, string>();
  readonly #baselineAttempts: BaselineAttempts;
  readonly #log: Log;
  readonly #pace: Pace;
  readonly #abort = new AbortController();
  /** Ends the pause between two sessions. */
  #wake = new AbortController();
  /** Resolves with null when `stop` is called. */
  readonly #stopped = new Promise<null>((resolve) => {
    this.#abort.signal.addEventListener('abort', () => resolve(null), { once: true });
  });
  readonly #lateAttributions = new LateAttributions();
  readonly #troubles: Troubles;
  readonly #unreadMessages: UnreadMessages;
  readonly #unknownTenants: UnknownTenants;
  readonly #streamingPause = new StreamingPause();
  /** Null once spooling has failed. This process then reads transactions after their commit. */
  #spoolFolder: string | null;
  #settleReady: () => void = () => undefined;
  #state: CaptureStatus['state'] = 'starting';
  #session: Session | undefined;
  #error: WaltrailError | null = null;
  /** True if the last stream ended because the source had no publication when something was changed. */
  #publicationMissed = false;
  #waiting: CaptureWaiting | null = null;
  #backoffMs = FIRST_BACKOFF_MS;
  readonly #repeats: Repeats;
  /**
   * The error that repeats at one position. Until capture has passed it, a session that streams for a while
   * does not show that the error has ended.
   */
  #stuck: Stuck | null = null;
  /** True if the error keeps sessions from opening. */
  #stuckAtOpening = false;
  #aloneUntil: Lsn | null = null;
  #barren = 0;
  /** Counts of sessions that have ended. `status` adds those of the running one. */
  #total: RecordedCounts = { transactions: 0, changes: 0, entries: 0, ignored: 0 };
  /** The last commit of an ended session whose answer never came, so it may be stored or not; null: none. */
  #unanswered: UnansweredCommit | null = null;
  #checkpointLsn: Lsn | null = null;
  #sourceLsn: Lsn | null = null;
  #currentUntil: string | null = null;

  constructor(options: CaptureOptions) {
    const { config, log, readConfig = () => undefined } = options;
    this.#followed = new FollowedConfiguration({ config, log, readConfig });
    this.#log = log;
    this.#troubles = new Troubles(options.log);
    this.#unreadMessages = new UnreadMessages(options.log);
    this.#unknownTenants = new UnknownTenants(options.log);
    this.#spoolFolder = options.spoolFolder ?? os.tmpdir();
    this.#pace = { ...PACE, ...options.pace };
    this.#baselineAttempts = new BaselineAttempts(this.#pace);
    this.#repeats = new Repeats(this.#pace.patienceMs);
    this.ready = new Promise((resolve) => {
      this.#settleReady = resolve;
    });
  }

  stop(): void {
    this.#abort.abort();
  }

  async reload(config: TrackingConfig, { by }: { readonly by: string | null }): Promise<Reloaded> {
    this.#followed.reload(config, { how: 'reload', by });
    const opened = new Promise<true>((resolve) => this.#followed.onceOpen(() => resolve(true)));
    this.#session?.end(configurationBegins());
    this.#wake.abort();
    const limit = sleep(RELOAD_LIMIT_MS, false, { ref: false, signal: this.#abort.signal }).catch(
      () => false,
    );
    if (!(await Promise.race([opened, limit]))) return 'not open';
    const { waiting } = this.#followed;
    return waiting === null ? 'in effect' : `waits for ${waiting}`;
  }

  async run(): Promise<void> {
    if (this.#spoolFolder !== null) await removeLeftSpools(this.#spoolFolder);
    while (!this.#abort.signal.aborted) {
      const began = performance.now();
      const error = await this.#runSession();
      if (this.#abort.signal.aborted) break;
      if (error === null) {
        await this.#wait(STANDBY_INTERVAL_MS);
        continue;
      }
      if (performance.now() - began > STABLE_MS) this.#backoffMs = FIRST_BACKOFF_MS;
      await this.#waitAfter(error);
    }
    this.#unreadMessages.stop();
    this.#unknownTenants.stop();
    this.#settleReady();
  }

  status(): CaptureStatus {
    const session = this.#session;
    const { pipeline } = session ?? {};
    const counts = pipeline === undefined ? this.#total : sum(this.#total, pipeline.counts);
    const checkpoint = session?.writer.checkpointLsn ?? this.#checkpointLsn;
    const sourceLsn = session?.sourceLsn ?? this.#sourceLsn;
    return {
      state: this.#state,
      source: this.#followed.file.source.name,
      slot: this.#followed.file.source.slot,
      checkpointLsn: checkpoint === null ? null : formatLsn(checkpoint),
      sourceLsn: sourceLsn === null ? null : formatLsn(sourceLsn),
      lagBytes:
        checkpoint === null || sourceLsn === null
          ? null
          : Number(sourceLsn > checkpoint ? sourceLsn - checkpoint : 0n),
      currentUntil: session?.currentUntil ?? this.#currentUntil,
      latencyMs: session?.pipeline.latencyMs ?? null,
      ...counts,
      troubles: this.#troubles.first,
      troubleCount: this.#troubles.count,
      messagesUnread: this.#unreadMessages.count,
      tenantsUnknown: this.#unknownTenants.count,
      waiting: this.#waiting,
      configuration: {
        digest: this.#followed.digest,
        waitsFor: this.#followed.waiting,
        ignored: this.#followed.ignored,
      },
      error:
        this.#error === null
          ? null
          : { code: this.#error.code, message: this.#error.message, remedy: this.#error.remedy },
    };
  }

  /**
   * Runs one session from opening to its end. Returns null if another daemon captures, or if `stop` was
   * called.
   */
  async #runSession(): Promise<WaltrailError | null> {
    let session: Session | null;
    try {
      session = await openSession({
        followed: this.#followed,
        namesTried: this.#namesTried,
        baselineAttempts: this.#baselineAttempts,
        log: this.#log,
        lateAttributions: this.#lateAttributions,
        unreadMessages: this.#unreadMessages,
        unknownTenants: this.#unknownTenants,
        knownLsn: this.#checkpointLsn,
        spoolFolder: this.#spoolFolder,
        unstreamedUntil: this.#streamingPause.until,
        publicationMissed: this.#publicationMissed,
        waiting: (waiting) => this.#waits(waiting),
        observed: (troubles) => this.#troubles.observed(troubles),
        stuck: this.#stuck,
        aloneUntil: this.#aloneUntil,
        pace: this.#pace,
        signal: this.#abort.signal,
      });
    } catch (thrown) {
      const error = asWaltrailError(thrown);
      // The gap has been recorded.
      if (error.code === 'SOURCE_PUBLICATION_MISSING') this.#publicationMissed = false;
      return this.#judge(error, null);
    }
    if (session === null) {
      await this.#readSlot();
      this.#enter('standby');
      return null;
    }
    this.#session = session;
    this.#followed.opened();
    if (!this.#followed.isCurrent) session.end(configurationBegins());
    if (this.#stuckAtOpening) this.#stuck = null;
    if (session.waitedOn !== undefined) this.#repeats.recall(session.waitedOn);
    const began = session.writer.checkpointLsn;
    // The checkpoint in the trail shows whether the commit without an answer was stored.
    if (this.#unanswered?.endLsn === began) this.#total = sum(this.#total, this.#unanswered.counts);
    this.#unanswered = null;
    const progress = this.#enterStreaming(session);
    const error = await Promise.race([session.ended, this.#stopped]);
    clearInterval(progress);
    // If another configuration begins, the transactions before it are stored first.
    await session.stop({ patient: error?.code === 'TRACKING_CHANGED' });
    const { position } = session.pipeline;
    this.#remember(session);
    this.#publicationMissed = error?.code === 'SOURCE_PUBLICATION_MISSING';
    if (error === null) return null;
    this.#barren = position.checkpointLsn > began || isNoTrouble(error) ? 0 : this.#barren + 1;
    return this.#judge(error, { ...position, readUntil: session.pipeline.readUntil });
  }

  /** Reads the slot from the trail, so that a standby reports the same slot as the daemon that captures. */
  async #readSlot(): Promise<void> {
    if (this.#followed.isSlotKnown) return;
    const { trail, source } = this.#followed.file;
    const slot = await readCheckpointSlot({
      url: urlOf(trail, 'writer'),
      source: source.name,
      signal: this.#abort.signal,
    }).catch(() => undefined);
    this.#followed.standsOn(slot);
  }

  /** Notes what capture waits for. If an error had stopped capture, its cause has been resolved. */
  #waits(waiting: CaptureWaiting | null): void {
    this.#waiting = waiting;
    if (waiting === null || this.#state !== 'stopped') return;
    this.#state = 'reconnecting';
    this.#error = null;
  }

  /**
   * Enters the state `streaming`. If capture waits on an error, it enters it only once the checkpoint has
   * moved.
   */
  #enterStreaming(session: Session): NodeJS.Timeout | undefined {
    const isPast = (): boolean =>
      this.#stuck === null || session.writer.checkpointLsn > this.#stuck.checkpointLsn;
    if (isPast()) {
      this.#stuck = null;
      this.#enter('streaming');
      return undefined;
    }
    const timer = setInterval(() => {
      if (!isPast()) return;
      clearInterval(timer);
      this.#stuck = null;
      this.#enter('streaming');
    }, PROGRESS_INTERVAL_MS);
    return timer;
  }

  /**
   * Decides what the end of an attempt means: whether an error repeats at one position, and whether
   * transactions are stored one at a time to find that position.
   */
  async #judge(
    error: WaltrailError,
    position: (StreamPosition & { readonly readUntil: Lsn }) | null,
  ): Promise<WaltrailError> {
    const checkpointLsn = position?.checkpointLsn ?? this.#checkpointLsn;
    if (this.#stuck !== null && checkpointLsn !== null && checkpointLsn > this.#stuck.checkpointLsn)
      this.#stuck = null;
    if (position !== null)
      this.#aloneUntil =
        isRefusal(error) || this.#barren >= BARREN_SESSIONS
          ? max(position.readUntil, position.checkpointLsn)
          : null;
    const stuck = this.#repeats.met({ error, position, checkpointLsn }, performance.now());
    if (stuck === undefined) return located(error, position);
    // A later error may lack the commit position. Then the stored error keeps the position that is known.
    if (this.#stuck === null || stuck.commitLsn !== null || this.#stuck.commitLsn === null) {
      this.#stuck = stuck;
      this.#stuckAtOpening = position === null;
    }
    // Stored before the remedy is shown, so that `waltrail skip` works by then.
    await tellStuck({
      trailUrl: urlOf(this.#followed.file.trail, 'writer'),
      stuck: this.#stuck,
      log: this.#log,
    });
    return stuckError(this.#stuck, error);
  }

  #remember(session: Session): void {
    const { counts, unanswered } = session.pipeline;
    this.#total = sum(this.#total, counts);
    this.#unanswered =
      unanswered === null
        ? null
        : { endLsn: unanswered.endLsn, counts: difference(unanswered.counts, counts) };
    this.#checkpointLsn = session.writer.checkpointLsn;
    this.#sourceLsn = session.sourceLsn;
    this.#currentUntil = session.currentUntil ?? this.#currentUntil;
    this.#session = undefined;
  }

  #enter(state: 'streaming' | 'standby'): void {
    if (this.#state !== state)
      this.#log.info(
        { slot: this.#followed.file.source.slot },
        state === 'streaming' ? 'Capture streams.' : 'Another daemon captures; standing by.',
      );
    this.#state = state;
    this.#error = null;
    this.#settleReady();
  }

  async #waitAfter(error: WaltrailError): Promise<void> {
    if (error.code === 'TRACKING_CHANGED') return;
    const operator = error.retry !== 'backoff' || this.#stuck !== null;
    if (this.#error?.code !== error.code || this.#error.message !== error.message) {
      this.#log[operator ? 'error' : 'warn'](
        { code: error.code, remedy: error.remedy, err: causeOf(error) },
        error.message,
      );
    }
    const streamed = this.#state === 'streaming';
    this.#error = error;
    this.#state = operator ? 'stopped' : 'reconnecting';
    if (error.code === 'SOURCE_SPOOL_FAILED') this.#spoolFolder = null;
    if (error === BACKLOG_READ) this.#streamingPause.end(performance.now());
    if (error.code === 'SOURCE_READ_WHOLE') this.#streamingPause.begin(performance.now());
    if (READ_AGAIN.has(error.code)) return;
    // An error that an operator has to resolve is checked again with every tick, so that a corrected source
    // needs no restart. If the stream met the error, the next attempt comes sooner, because only opening a
    // session compares source and trail and records a gap.
    const waitMs = operator && !streamed ? this.#pace.tickMs : this.#backoffMs * (0.5 + Math.random() / 2);
    this.#backoffMs = Math.min(MAX_BACKOFF_MS, this.#backoffMs * 2);
    await this.#wait(waitMs);
  }

  async #wait(ms: number): Promise<void> {
    this.#wake = new AbortController();
    const signal = AbortSignal.any([this.#abort.signal, this.#wake.signal]);
    await sleep(ms, undefined, { signal }).catch(() => undefined);
  }
}

const sum = (one: RecordedCounts, other: RecordedCounts): RecordedCounts => ({
  transactions: one.transactions + other.transactions,
  changes: one.changes + other.changes,
  entries: one.entries + other.entries,
  ignored: one.ignored + other.ignored,
});

const difference = (one: RecordedCounts, other: RecordedCounts): RecordedCounts => ({
  transactions: one.transactions - other.transactions,
  changes: one.changes - other.changes,
  entries: one.entries - other.entries,
  ignored: one.ignored - other.ignored,
});

const max = (one: Lsn, other: Lsn): Lsn => (one > other ? one : other);

const asWaltrailError = (error: unknown): WaltrailError =>
  isWaltrailError(error)
    ? error
    : new WaltrailError('PIPELINE_FAILED', 'Capture met an unexpected error.', { cause: error });

/**
 * Returns the parts of a cause that cannot hold a row value: its class, and its SQLSTATE or, for our own
 * errors, code.
 */
function causeOf(error: WaltrailError): { type: string; code: string } | undefined {
  const { cause } = error;
  if (!(cause instanceof Error)) return undefined;
  return { type: cause.name, code: codeOf(cause) ?? '' };
}
