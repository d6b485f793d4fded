import {
  assertSchemaCompatibility,
  createPostgresBackend,
  createRedisBackend,
  LATEST_SCHEMA_VERSION,
  Queue,
  runMigrations,
  SchemaMigrationRequiredError,
  Worker,
  type BackendFactory,
  type ConnectionOptions,
  type QueueOptions,
  type RedisQueueBackend,
  type WorkerOptions,
} from 'bullmq';
import type { Redis } from 'ioredis';
import type pg from 'pg';
import { createPool, withClient } from '../pg/connect.js';
import { describeUrl } from '../pg/connect-error.js';
import { refuseForeignSchema } from '../pg/own-schema.js';

/**
 * One connected stretch of the queue: from when its backend was found fit until the first error, or `close`.
 */
export interface QueueSession {
  /** Does nothing when the export is in the queue already. */
  add(id: string): Promise<void>;
  /** Takes a waiting export out of the queue; one that is being worked on stays. */
  remove(id: string): Promise<void>;
  /**
   * Hands ids to `process`. `ready` resolves when it does; `close` takes no new one and resolves when those
   * at work are done.
   */
  consume(work: QueueWork): { readonly ready: Promise<void>; close(): Promise<void> };
  /** Resolves with the first error of a connection or of the server. */
  readonly ended: Promise<unknown>;
  /**
   * Ends the session with an error that a caller has met, where it is one of the connection or of the server.
   */
  failed(error: unknown): void;
  /** Lets everything go within {@link CLOSE_LIMIT_MS}, also where nobody answers. Never rejects. */
  close(): Promise<void>;
}

export interface QueueWork {
  readonly concurrency: number;
  readonly process: (id: string) => Promise<void>;
}

const QUEUE = 'exports';
const SCHEMA = 'bullmq';
const CLOSE_LIMIT_MS = 2_000;

/**
 * A worker that was killed loses its job after LOCK_MS and the next check of any other worker finds it:
 * within 15 s. Every worker must use the same interval, so these are constants.
 */
const LOCK_MS = 10_000;
const STALLED_CHECK_MS = 5_000;
/**
 * Generous: the row's own count of attempts decides (run.ts), and what the queue drops is enqueued again from
 * the row.
 */
const ATTEMPTS = 8;
const BACKOFF_MS = 1_000;

/** On a Redis that was found fit (redis.ts). The session owns the connection. */
export async function openRedisSession(redis: Redis, prefix: string): Promise<QueueSession> {
  return open({
    backend: createRedisBackend,
    options: () => ({ connection: redis, prefix }),
    lost: (gone) =>
      void redis.once('end', () => gone(Object.assign(new Error('closed'), { code: 'DISCONNECTED' }))),
    disconnect: () => redis.disconnect(),
  });
}

/**
 * BullMQ's statements name its tables and functions without a schema. PostgreSQL looks into pg_catalog before
 * a path that does not name it, and nobody but Waltrail's role makes objects in this one (pg/own-schema.ts).
 */
const SEARCH_PATH = `${SCHEMA}, pg_temp`;

/**
 * On PostgreSQL, whose schema it brings up to date first. Throws PG_SCHEMA_FOREIGN, and what connecting
 * throws.
 */
export async function openPostgresSession(url: string): Promise<QueueSession> {
  await migrateQueue(url);
  const pools: pg.Pool[] = [];
  return open({
    backend: createPostgresBackend as unknown as AnyBackend,
    options: (purpose, max) => {
      // A pool of ours, because BullMQ would take what the URL has under `options` for the search_path of its
      // own.
      const pool = createPool({ url, side: 'trail', purpose, max, searchPath: SEARCH_PATH });
      pools.push(pool);
      return { connection: pool };
    },
    lost: () => undefined,
    disconnect: () => void Promise.allSettled(pools.map((pool) => pool.end())),
  });
}

/**
 * Removes the queue that earlier versions kept in Redis, under a prefix without hash tag. Gives how many
 * exports waited in it; undefined: there was none. Its exports are enqueued again from their rows.
 */
export async function removeOldQueue(redis: Redis, prefix: string): Promise<number | undefined> {
  if ((await redis.exists(`${prefix}:${QUEUE}:meta`)) === 0) return undefined;
  const old = new Queue(QUEUE, { connection: redis, prefix, skipVersionCheck: true, skipMetasUpdate: true });
  // Whoever waits hears of it.
  old.on('error', () => undefined);
  try {
    const jobs = await old.getJobCountByTypes('wait', 'active', 'delayed');
    await old.obliterate({ force: true });
    await redis.unlink(...['id', 'stalled-check', 'limiter', 'marker'].map((key) => old.toKey(key)));
    return jobs;
  } finally {
    await old.close();
  }
}

// One type for both: which backend it is shows in no call below.
type AnyBackend = BackendFactory<RedisQueueBackend, ConnectionOptions>;

interface Backing {
  readonly backend: AnyBackend;
  readonly options: (purpose: string, max: number) => QueueOptions;
  /** Calls back when a connection is gone about which BullMQ says nothing. */
  readonly lost: (gone: (error: unknown) => void) => void;
  readonly disconnect: () => void;
}

async function open({ backend, options, lost, disconnect }: Backing): Promise<QueueSession> {
  let fail: (error: unknown) => void = () => undefined;
  const ended = new Promise<unknown>((resolve) => (fail = resolve));
  // The probe has looked, and BullMQ would write to the console what it thinks of the version and the
  // eviction policy.
  const base = (purpose: string, max: number): QueueOptions => ({
    ...options(purpose, max),
    skipVersionCheck: true,
  });
  const onError = (error: unknown): void => {
    // With a number as code it is about one job, as that another worker has taken it: its row knows better.
    if (typeof (error as { code?: unknown }).code !== 'number') fail(error);
  };
  const queue = new Queue<{ id: string }>(
    QUEUE,
    {
      ...base('queue', 2),
      defaultJobOptions: {
        attempts: ATTEMPTS,
        backoff: { type: 'exponential', delay: BACKOFF_MS },
        // A finished job leaves the queue, so that its id is free to be enqueued again.
        removeOnComplete: true,
        removeOnFail: true,
      },
    },
    backend,
  );
  queue.on('error', onError);
  lost(fail);
  const workers: Worker<{ id: string }>[] = [];
  const close = async (): Promise<void> => {
    // Runs go on without their worker, and the next session waits for them (worker.ts).
    await withinLimit(Promise.allSettled(workers.map((worker) => worker.close(true))));
    await withinLimit(queue.close());
    disconnect();
  };
  try {
    await queue.waitUntilReady();
  } catch (error) {
    await close();
    throw error;
  }
  return {
    ended,
    failed: onError,
    async add(id) {
      await queue.add('export', { id }, { jobId: id });
    },
    async remove(id) {
      // A job at work is locked and cannot be removed; its run stops when it finds its row gone.
      await queue.remove(id).catch(() => undefined);
    },
    consume({ concurrency, process }) {
      const worker = new Worker<{ id: string }>(
        QUEUE,
        (job) => process(job.data.id),
        {
          // One for each job, one for the upkeep of locks, one that listens.
          ...(base('export worker', concurrency + 2) as WorkerOptions),
          concurrency,
          lockDuration: LOCK_MS,
          stalledInterval: STALLED_CHECK_MS,
          maxStalledCount: ATTEMPTS,
        },
        backend,
      );
      worker.on('error', onError);
      workers.push(worker);
      return { ready: worker.waitUntilReady(), close: () => worker.close() };
    },
    close,
  };
}

async function migrateQueue(url: string): Promise<void> {
  await withClient({ url, side: 'trail', purpose: 'queue migration' }, async (client) => {
    await refuseForeignSchema(client, { schema: SCHEMA, database: describeUrl(url) });
    // Looked at before it is touched: creating a schema, even one that is there, needs a right that this role
    // may lack.
    const version = await assertSchemaCompatibility(client as never, SCHEMA, {
      skipVersionCheck: true,
    }).catch((error: unknown) => {
      if (error instanceof SchemaMigrationRequiredError) return 0;
      throw error;
    });
    if (version < LATEST_SCHEMA_VERSION)
      await runMigrations(await withSchema(client), SCHEMA, { skipVersionCheck: true });
  });
}

/**
 * BullMQ begins with "create schema if not exists", which PostgreSQL refuses a login that may not create one,
 * also where it is there. A login of waltrail_api has one that was made for it (trail/logins.ts).
 */
async function withSchema(client: pg.Client): Promise<QueryableClient> {
  const { rows } = await client.query<{ made: boolean }>(
    /* sql */ `select pg_catalog.to_regnamespace($1) is not null as made`,
    [SCHEMA],
  );
  if (!rows[0]!.made) return client;
  return {
    query: (text: string, values?: unknown[]) =>
      /^create schema /i.test(text) ? client.query('select') : client.query(text, values),
  } as QueryableClient;
}

/** What BullMQ's migrations ask of a connection. */
type QueryableClient = Parameters<typeof runMigrations>[0];

async function withinLimit(work: Promise<unknown>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const limit = new Promise<void>((resolve) => (timer = setTimeout(resolve, CLOSE_LIMIT_MS)));
  await Promise.race([work.catch(() => undefined), limit]);
  clearTimeout(timer);
}
