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
 * One connected stretch of the queue, from a successful check of its backend until the first error or
 * `close`.
 */
export interface QueueSession {
  /** Adds an export to the queue. Does nothing if it is there already. */
  add(id: string): Promise<void>;
  /** Removes a waiting export from the queue. One that is being run stays. */
  remove(id: string): Promise<void>;
  /**
   * Hands ids to `process`. `ready` resolves when it begins to do so. `close` takes no new ids and resolves
   * when the running ones have ended.
   */
  consume(work: QueueWork): { readonly ready: Promise<void>; close(): Promise<void> };
  /** Resolves with the first error of a connection or of the server. */
  readonly ended: Promise<unknown>;
  /**
   * Ends the session with an error that a caller has met, if it is one of the connection or of the server.
   */
  failed(error: unknown): void;
  /**
   * Closes everything, with a limit of {@link CLOSE_LIMIT_MS} for each step, even without an answer. Never
   * rejects.
   */
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
 * If a worker is killed, its job is released after LOCK_MS, and the next check of any other worker finds it:
 * within 15 s. Every worker must use the same interval, so these are constants.
 */
const LOCK_MS = 10_000;
const STALLED_CHECK_MS = 5_000;
/**
 * Attempts of a job. The number is high because the row's own count of attempts decides (run.ts). Exports
 * that the queue drops are enqueued again from their rows.
 */
const ATTEMPTS = 8;
const BACKOFF_MS = 1_000;

/** Opens a session on a Redis connection that was checked (redis.ts). The session owns the connection. */
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
 * BullMQ's statements name its tables and functions without a schema. PostgreSQL searches pg_catalog before
 * the schemas of this path, and only Waltrail's role can create objects in the schema of the queue
 * (pg/own-schema.ts).
 */
const SEARCH_PATH = `${SCHEMA}, pg_temp`;

/**
 * Opens a session on PostgreSQL. Migrates the schema of the queue first. Throws PG_SCHEMA_FOREIGN, and the
 * errors of connecting.
 */
export async function openPostgresSession(url: string): Promise<QueueSession> {
  await migrateQueue(url);
  const pools: pg.Pool[] = [];
  return open({
    backend: createPostgresBackend as unknown as AnyBackend,
    options: (purpose, max) => {
      // The pool is created here. BullMQ would take `options` of the URL for the search_path of its own pool.
      const pool = createPool({ url, side: 'trail', purpose, max, searchPath: SEARCH_PATH });
      pools.push(pool);
      return { connection: pool };
    },
    lost: () => undefined,
    disconnect: () => void Promise.allSettled(pools.map((pool) => pool.end())),
  });
}

/**
 * Removes the queue that earlier versions kept in Redis, under a prefix without a hash tag. Returns how many
 * exports waited in it; undefined: there was none. Its exports are enqueued again from their rows.
 */
export async function removeOldQueue(redis: Redis, prefix: string): Promise<number | undefined> {
  if ((await redis.exists(`${prefix}:${QUEUE}:meta`)) === 0) return undefined;
  const old = new Queue(QUEUE, { connection: redis, prefix, skipVersionCheck: true, skipMetasUpdate: true });
  // The awaited calls below report the errors.
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

// One type for both backends, because no call below depends on the backend.
type AnyBackend = BackendFactory<RedisQueueBackend, ConnectionOptions>;

interface Backing {
  readonly backend: AnyBackend;
  readonly options: (purpose: string, max: number) => QueueOptions;
  /** Calls back when a connection has ended without a report of BullMQ. */
  readonly lost: (gone: (error: unknown) => void) => void;
  readonly disconnect: () => void;
}

async function open({ backend, options, lost, disconnect }: Backing): Promise<QueueSession> {
  let fail: (error: unknown) => void = () => undefined;
  const ended = new Promise<unknown>((resolve) => (fail = resolve));
  // The probe has checked the server. BullMQ would write warnings about version and eviction policy to the
  // console.
  const base = (purpose: string, max: number): QueueOptions => ({
    ...options(purpose, max),
    skipVersionCheck: true,
  });
  const onError = (error: unknown): void => {
    // An error with a number as code concerns one job, for example that another worker has taken it. The row
    // decides then.
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
    // Runs continue without their worker, and the next session waits for them (worker.ts).
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
      // The job of a running export is locked and cannot be removed. Its run stops when its row no longer
      // exists.
      await queue.remove(id).catch(() => undefined);
    },
    consume({ concurrency, process }) {
      const worker = new Worker<{ id: string }>(
        QUEUE,
        (job) => process(job.data.id),
        {
          // One connection for each job, one to extend locks, one to listen.
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
    // Checked before the migration, because creating a schema, even if it exists, needs a privilege that this
    // role may lack.
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
 * Returns a client for BullMQ's migrations. They begin with "create schema if not exists". PostgreSQL refuses
 * this to a login that may not create schemas, even if the schema exists. A login of waltrail_api has a
 * schema that was created for it (trail/logins.ts), so the statement is left out then.
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

/** The connection that BullMQ's migrations expect. */
type QueryableClient = Parameters<typeof runMigrations>[0];

async function withinLimit(work: Promise<unknown>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const limit = new Promise<void>((resolve) => (timer = setTimeout(resolve, CLOSE_LIMIT_MS)));
  await Promise.race([work.catch(() => undefined), limit]);
  clearTimeout(timer);
}
