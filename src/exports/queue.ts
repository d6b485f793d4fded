import { setTimeout as sleep } from 'node:timers/promises';
import type { Redis } from 'ioredis';
import { isWaltrailError, WaltrailError } from '../errors.js';
import { LastingProblem, type Log } from '../log.js';
import { isConnectError } from '../pg/connect-error.js';
import {
  openPostgresSession,
  openRedisSession,
  removeOldQueue,
  type QueueSession,
  type QueueWork,
} from './queue-session.js';
import { openRedis, redisCode, redisPrefix, redisProblem } from './redis.js';
import { withTimeLimit } from '../pg/time-limit.js';

/**
 * The queue wakes a worker and does nothing else: an export and its progress are in its row (store.ts).
 * Nothing waits for the queue. The object exists at once, connects in the background, and reports whether it
 * works.
 */
export interface ExportQueue {
  status(): ExportQueueStatus;
  /**
   * Adds an export to the queue. Does nothing if it is there already. Throws EXPORT_QUEUE_UNAVAILABLE: at
   * once while the queue is known not to work, else after a few seconds without an answer.
   */
  enqueue(id: string): Promise<void>;
  /** Removes a waiting export from the queue. One that is being run stays. Throws as `enqueue` does. */
  remove(id: string): Promise<void>;
  /**
   * Hands ids to `process`, each at least once, whenever the queue works. If `process` rejects, the id is
   * delivered again after a growing delay.
   */
  work(options: ExportWork): ExportConsumer;
  /**
   * Closes the queue and its consumers. Never rejects, and ends in seconds, even without an answer. May be
   * called again.
   */
  close(): Promise<void>;
}

export interface ExportQueueStatus {
  readonly kind: 'postgres' | 'redis';
  /** False until the queue has connected, and while it cannot be used. */
  readonly works: boolean;
  /** Why the queue does not work; null: it works, or the reason is not known yet. */
  readonly problem: WaltrailError | null;
}

export interface ExportWork extends QueueWork {
  /** Called each time the queue begins to hand out ids, because it may have lost some. */
  readonly opened?: () => void;
}

export interface ExportConsumer {
  /** Resolves when ids are handed out for the first time. */
  readonly ready: Promise<void>;
  /**
   * Takes no new export. Resolves when running exports have ended, or when the queue has stopped answering.
   */
  close(): Promise<void>;
}

export interface QueueSettings {
  readonly trailUrl: string;
  /** URL of Redis; undefined: the queue is in the schema `bullmq` of the trail database. */
  readonly redisUrl: string | undefined;
  /** `source.name`: two Waltrails may share one Redis. */
  readonly source: string;
  readonly log: Log;
}

/** Time limit for an answer to a request. A driver would keep commands without a limit. */
const ANSWER_LIMIT_MS = 3_000;
/**
 * Time limit for connecting and probing. If a server drops packets, the next attempt must not wait for the
 * much longer limits of TCP.
 */
const OPEN_LIMIT_MS = 15_000;
const FIRST_PAUSE_MS = 500;
const MAX_PAUSE_MS = 10_000;
/**
 * Time that the queue must work for a problem to count as over. A later one is then reported as a new
 * problem.
 */
const STABLE_MS = 10_000;
/** Time limit for runs to return the exports that they have begun. */
const CONSUMER_CLOSE_LIMIT_MS = 10_000;

/**
 * Opens the queue. Returns at once and connects in the background. If that fails, it tries again after
 * growing pauses (DECISIONS 40).
 */
export function openQueue(settings: QueueSettings): ExportQueue {
  return new ReopeningQueue(settings);
}

interface Attached {
  readonly work: ExportWork;
  readonly settleReady: () => void;
  /** Consumer of the present session. */
  consumer: ReturnType<QueueSession['consume']> | undefined;
}

class ReopeningQueue implements ExportQueue {
  readonly #backing: Backing;
  readonly #abort = new AbortController();
  readonly #attached = new Set<Attached>();
  readonly #lasting: LastingProblem;
  readonly #running: Promise<void>;
  #session: QueueSession | undefined;
  #problem: WaltrailError | null = null;
  /** Resolves when the first session is open, or could not be opened. */
  readonly #tried: Promise<void>;
  #settleTried: () => void = () => undefined;

  constructor(settings: QueueSettings) {
    const { redisUrl, log } = settings;
    this.#backing =
      redisUrl === undefined
        ? postgresBacking(settings)
        : redisBacking({ url: redisUrl, source: settings.source, log });
    this.#tried = new Promise((resolve) => (this.#settleTried = resolve));
    const queue = this.#backing.kind;
    this.#lasting = new LastingProblem({
      say: (fields) =>
        log.warn(
          { queue, ...fields },
          'The queue of exports does not work. Exports wait, and Waltrail tries again.',
        ),
      sayOver: (fields) => log.info({ queue, ...fields }, 'The queue of exports works again.'),
    });
    this.#running = this.#run();
  }

  status(): ExportQueueStatus {
    const works = this.#session !== undefined;
    return { kind: this.#backing.kind, works, problem: works ? null : this.#problem };
  }

  enqueue(id: string): Promise<void> {
    return this.#ask((session) => session.add(id));
  }

  remove(id: string): Promise<void> {
    return this.#ask((session) => session.remove(id));
  }

  work(work: ExportWork): ExportConsumer {
    let settleReady = (): void => undefined;
    const ready = new Promise<void>((resolve) => (settleReady = resolve));
    const attached: Attached = { work, settleReady, consumer: undefined };
    this.#attached.add(attached);
    if (this.#session !== undefined) attach(attached, this.#session);
    return { ready, close: () => this.#detach(attached) };
  }

  async close(): Promise<void> {
    await Promise.all(Array.from(this.#attached, (attached) => this.#detach(attached)));
    this.#abort.abort();
    await this.#running;
  }

  async #run(): Promise<void> {
    const { signal } = this.#abort;
    const stopped = new Promise<void>((resolve) => {
      signal.addEventListener('abort', () => resolve(), { once: true });
    });
    let pauseMs = FIRST_PAUSE_MS;
    while (!signal.aborted) {
      try {
        const session = await this.#open();
        const stable = setTimeout(() => {
          pauseMs = FIRST_PAUSE_MS;
          this.#lasting.over();
        }, STABLE_MS);
        this.#begin(session);
        const error = await Promise.race([session.ended, stopped]);
        clearTimeout(stable);
        this.#session = undefined;
        if (!signal.aborted) this.#fail(error);
        await session.close();
      } catch (error) {
        if (!signal.aborted) this.#fail(error);
      }
      if (signal.aborted) break;
      await sleep(pauseMs * (0.5 + Math.random() / 2), undefined, { signal }).catch(() => undefined);
      pauseMs = Math.min(MAX_PAUSE_MS, pauseMs * 2);
    }
    this.#problem = new WaltrailError('EXPORT_QUEUE_UNAVAILABLE', 'The queue of exports is closed.');
    this.#settleTried();
  }

  /**
   * Opens a session. Gives up after the time limit, or when the queue is closed. A session that opens later
   * is closed.
   */
  async #open(): Promise<QueueSession> {
    let isTimeout = false;
    return withTimeLimit({ signal: this.#abort.signal, limitMs: OPEN_LIMIT_MS }, async (signal) => {
      const opening = this.#backing.open(signal);
      const aborted = new Promise<never>((_, reject) => {
        signal.addEventListener(
          'abort',
          () => {
            isTimeout = !this.#abort.signal.aborted;
            reject(timeout());
          },
          { once: true },
        );
      });
      try {
        return await Promise.race([opening, aborted]);
      } catch (error) {
        opening.then(
          (late) => void late.close(),
          () => undefined,
        );
        throw isTimeout ? timeout() : error;
      }
    });
  }

  #begin(session: QueueSession): void {
    this.#session = session;
    this.#problem = null;
    this.#settleTried();
    for (const attached of this.#attached) attach(attached, session);
  }

  #fail(error: unknown): void {
    this.#problem = this.#backing.problem(error);
    this.#settleTried();
    this.#lasting.met(redisCode(error));
  }

  async #detach(attached: Attached): Promise<void> {
    this.#attached.delete(attached);
    const { consumer } = attached;
    if (consumer === undefined || this.#session === undefined) return;
    const closing = consumer.close().catch(() => undefined);
    await firstWithin(CONSUMER_CLOSE_LIMIT_MS, [closing, this.#session.ended]).catch(() => undefined);
  }

  async #ask(request: (session: QueueSession) => Promise<void>): Promise<void> {
    try {
      await firstWithin(ANSWER_LIMIT_MS, [this.#tried]);
      const session = this.#session;
      if (session === undefined) throw this.#problem!;
      const lost = session.ended.then((error) => {
        throw error;
      });
      await firstWithin(ANSWER_LIMIT_MS, [request(session), lost]).catch((error: unknown) => {
        session.failed(error);
        throw error;
      });
    } catch (error) {
      throw isWaltrailError(error) && !isConnectError(error) ? error : this.#backing.problem(error);
    }
  }
}

function attach(attached: Attached, session: QueueSession): void {
  const { work, settleReady } = attached;
  attached.consumer = session.consume(work);
  attached.consumer.ready.then(
    () => {
      settleReady();
      work.opened?.();
    },
    (error: unknown) => session.failed(error),
  );
}

/** The store of the queue: PostgreSQL or Redis. */
interface Backing {
  readonly kind: ExportQueueStatus['kind'];
  readonly open: (signal: AbortSignal) => Promise<QueueSession>;
  readonly problem: (error: unknown) => WaltrailError;
}

function postgresBacking({ trailUrl }: QueueSettings): Backing {
  return {
    kind: 'postgres',
    open: () => openPostgresSession(trailUrl),
    problem: (error) =>
      isWaltrailError(error) && error.code === 'PG_SCHEMA_FOREIGN'
        ? error
        : new WaltrailError(
            'EXPORT_QUEUE_UNAVAILABLE',
            `The queue of exports cannot use the trail database (${redisCode(error)}). Exports wait until it can.`,
          ),
  };
}

function redisBacking(options: {
  readonly url: string;
  readonly source: string;
  readonly log: Log;
}): Backing {
  const { url, source, log } = options;
  const prefix = redisPrefix(source);
  let oldLooked = false;
  let policyReported: string | null = 'noeviction';
  return {
    kind: 'redis',
    problem: redisProblem,
    async open(signal) {
      const { client, evictionPolicy, cluster } = await openRedis({ url, source, signal });
      if (evictionPolicy !== null && evictionPolicy !== policyReported) {
        policyReported = evictionPolicy;
        if (evictionPolicy !== 'noeviction')
          log.warn(
            { queue: 'redis', policy: evictionPolicy },
            'Redis may evict the queue of exports when its memory is full. Set maxmemory-policy to noeviction. An evicted export is enqueued again within a minute.',
          );
      }
      // In a cluster the old keys could never be used, so there is no old queue.
      if (!oldLooked && !cluster) {
        oldLooked = true;
        await dropOldQueue(client, { source, log });
      }
      return openRedisSession(client, prefix);
    },
  };
}

/**
 * Removes the queue of an earlier version. Its exports are enqueued again from their rows. If removing fails,
 * everything works all the same.
 */
async function dropOldQueue(
  client: Redis,
  { source, log }: { readonly source: string; readonly log: Log },
): Promise<void> {
  const prefix = `waltrail:${source}`;
  try {
    const exports = await removeOldQueue(client, prefix);
    if (exports !== undefined)
      log.info(
        { exports },
        'The queue of an earlier version was removed from Redis. Its exports are enqueued again.',
      );
  } catch (error) {
    log.warn(
      { code: redisCode(error), keys: `${prefix}:exports:*` },
      'The queue of an earlier version could not be removed from Redis. Its keys are no longer needed.',
    );
  }
}

const timeout = (): Error => Object.assign(new Error('no answer in time'), { code: 'TIMEOUT' });

/** Resolves as the first of these promises. Rejects with code TIMEOUT after the limit. */
async function firstWithin<T>(limitMs: number, promises: readonly Promise<T>[]): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const limit = new Promise<never>((_, reject) => (timer = setTimeout(() => reject(timeout()), limitMs)));
  try {
    return await Promise.race([...promises, limit]);
  } finally {
    clearTimeout(timer);
  }
}
