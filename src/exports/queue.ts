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
import { Redis } from 'ioredis';
import type pg from 'pg';
import { codeOf, WaltrailError } from '../errors.js';
import type { Log } from '../log.js';
import { close, connect, createPool, describeUrl } from '../pg/connect.js';
import { refuseForeignSchema } from '../pg/own-schema.js';

/** The queue wakes a worker and does nothing else: what an export is, and how far, is in its row (store.ts). */
export interface ExportQueue {
  readonly kind: 'postgres' | 'redis';
  /** Does nothing when the export is in the queue already. Throws EXPORT_QUEUE_UNAVAILABLE after a few seconds. */
  enqueue(id: string): Promise<void>;
  /** Takes a waiting export out of the queue; one that is being worked on stays. */
  remove(id: string): Promise<void>;
  /** Hands ids to `process`, each at least once. A rejection delivers the id again after a growing delay. */
  work(options: {
    readonly concurrency: number;
    readonly process: (id: string) => Promise<void>;
  }): ExportConsumer;
  close(): Promise<void>;
}

export interface ExportConsumer {
  readonly ready: Promise<void>;
  /** Takes no new export and resolves when those at work are done. */
  close(): Promise<void>;
}

export interface QueueSettings {
  readonly trailUrl: string;
  /** Undefined: the queue is in the schema `bullmq` of the trail database. */
  readonly redisUrl: string | undefined;
  /** `source.name`: two Waltrails may share one Redis. */
  readonly source: string;
  readonly log: Log;
}

const QUEUE = 'exports';
const SCHEMA = 'bullmq';
/**
 * BullMQ's statements name its tables and functions without a schema. PostgreSQL looks into pg_catalog before a path that
 * does not name it, and nobody but Waltrail's role makes objects in this one (own-schema.ts).
 */
const SEARCH_PATH = `${SCHEMA}, pg_temp`;
const ENQUEUE_TIMEOUT_MS = 3000;

/**
 * A worker that was killed loses its job after LOCK_MS and the next check of any other worker finds it: within 15 s.
 * Every worker must use the same interval, so these are constants.
 */
const LOCK_MS = 10_000;
const STALLED_CHECK_MS = 5000;
/** Generous: the row's own count of attempts decides (run.ts), and what the queue drops is enqueued again from the row. */
const ATTEMPTS = 8;
const BACKOFF_MS = 1000;

/** Opens the queue and, on PostgreSQL, brings its schema up to date. */
export async function openQueue(settings: QueueSettings): Promise<ExportQueue> {
  const redis = settings.redisUrl === undefined ? undefined : connectRedis(settings.redisUrl, settings.log);
  if (redis === undefined) await migrateQueue(settings.trailUrl);
  // One type for both: which backend it is shows in no call below.
  const backend = (redis ? createRedisBackend : createPostgresBackend) as unknown as BackendFactory<
    RedisQueueBackend,
    ConnectionOptions
  >;
  const pools: pg.Pool[] = [];
  // A pool of ours, because BullMQ would take what the URL has under `options` for the search_path of its own.
  const connectPool = (purpose: string, max: number): pg.Pool => {
    const pool = createPool({ url: settings.trailUrl, purpose, max, searchPath: SEARCH_PATH });
    pools.push(pool);
    return pool;
  };
  const base = (purpose: string, max: number): QueueOptions => ({
    connection: redis ?? connectPool(purpose, max),
    ...(redis ? { prefix: `waltrail:${settings.source}` } : {}),
  });
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
  const consumers: ExportConsumer[] = [];
  queue.on('error', (error) => logQueueError(settings.log, error));

  return {
    kind: redis ? 'redis' : 'postgres',
    enqueue: (id) => withinLimit(queue.add('export', { id }, { jobId: id })),
    async remove(id) {
      // A job at work is locked and cannot be removed; its run stops when it finds its row gone.
      await withinLimit(queue.remove(id).catch(() => undefined));
    },
    work({ concurrency, process }) {
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
      worker.on('error', (error) => logQueueError(settings.log, error));
      const consumer = {
        ready: worker.waitUntilReady().then(() => undefined),
        close: async () => worker.close(),
      };
      consumers.push(consumer);
      return consumer;
    },
    async close() {
      await Promise.all(consumers.map((consumer) => consumer.close()));
      await queue.close();
      await Promise.all(pools.map((pool) => pool.end()));
      redis?.disconnect();
    },
  };
}

async function migrateQueue(url: string): Promise<void> {
  const client = await connect({ url, purpose: 'queue migration' });
  try {
    await refuseForeignSchema(client, { schema: SCHEMA, database: describeUrl(url) });
    // Looked at before it is touched: creating a schema, even one that is there, needs a right that this role may lack.
    const version = await assertSchemaCompatibility(client as never, SCHEMA).catch((error: unknown) => {
      if (error instanceof SchemaMigrationRequiredError) return 0;
      throw error;
    });
    if (version < LATEST_SCHEMA_VERSION) await runMigrations(client, SCHEMA);
  } finally {
    await close(client);
  }
}

function connectRedis(url: string, log: Log): Redis {
  // Blocking commands of a worker must outlive a reconnection: BullMQ refuses any other value.
  // The short wait for a server that is gone keeps the daemon from ending two seconds late.
  const redis = new Redis(url, { maxRetriesPerRequest: null, disconnectTimeout: 300 });
  redis.on('error', (error) => logQueueError(log, error));
  return redis;
}

function logQueueError(log: Log, error: Error): void {
  // Only the class and code: messages of drivers may quote a URL.
  log.warn({ code: codeOf(error) ?? error.name }, 'The queue of exports has a problem; it tries again');
}

/** Drivers keep commands while they reconnect, for ever if need be; a request must not wait that long. */
async function withinLimit(operation: Promise<unknown>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const limit = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      reject(
        new WaltrailError(
          'EXPORT_QUEUE_UNAVAILABLE',
          `The queue did not answer within ${ENQUEUE_TIMEOUT_MS / 1000} s.`,
        ),
      );
    }, ENQUEUE_TIMEOUT_MS);
  });
  try {
    await Promise.race([operation, limit]);
  } catch (error) {
    if (error instanceof WaltrailError) throw error;
    throw new WaltrailError('EXPORT_QUEUE_UNAVAILABLE', 'The queue refused the export.', { cause: error });
  } finally {
    clearTimeout(timer);
  }
}
