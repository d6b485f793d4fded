import { readFileSync } from 'node:fs';
import type pg from 'pg';
import { AccessRecord, pruneAccess } from './admin/access.js';
import { Authenticator } from './admin/authenticator.js';
import { readExportFigures } from './admin/export-figures.js';
import { listenHttp } from './admin/http.js';
import { LiveFeed } from './admin/live.js';
import { Metrics } from './admin/metrics.js';
import { OpenStreams } from './admin/sse.js';
import { openExports } from './exports/open.js';
import type { Exports } from './exports/exports.js';
import { startExportWorker } from './exports/worker.js';
import type { Log } from './log.js';
import { connect, createPool } from './pg/connect.js';
import { startCapture, type Capture } from './capture/capture.js';
import type { Role, Settings } from './settings.js';
import { Teardown } from './teardown.js';
import { startHousekeeping } from './trail/housekeeping.js';
import { migrateTrail } from './trail/migrate.js';
import { TrailReader } from './trail/read.js';
import type { TrackingConfig } from './tracking/rules.js';

export interface DaemonOptions {
  readonly settings: Settings;
  readonly config: TrackingConfig;
  /** What this process does; health and metrics are served whatever it is. */
  readonly roles: readonly Role[];
  readonly log: Log;
}

export interface Daemon {
  /** Where HTTP listens, as `http://127.0.0.1:8080`. */
  readonly url: string;
  /** Ends everything in the reverse order of its start, each part within a limit. Never rejects; may be called again. */
  stop(): Promise<void>;
}

const READ_CONNECTIONS = 10;
const ACCESS_CONNECTIONS = 5;
/** A page that takes longer is cut off by PostgreSQL, so that a few bad filters do not hold every connection. */
const READ_TIMEOUT_MS = 30_000;
const MAX_STREAMS = 200;
const PRUNE_INTERVAL_MS = 6 * 3_600_000;
/** Least-privilege roles of sql/trail/0005_roles.sql; used where the login role is a member of them. */
const READER_ROLE = 'waltrail_reader';

/**
 * Starts the daemon: migrates the trail, then does what its roles say. When a part fails to start, those before it are
 * stopped again. Throws PG_UNREACHABLE, PG_REFUSED, PG_MIGRATION_FAILED, HTTP_PORT_BUSY.
 */
export async function startDaemon(options: DaemonOptions): Promise<Daemon> {
  const teardown = new Teardown(options.log);
  try {
    const url = await start(options, teardown);
    options.log.info({ url, roles: options.roles }, 'Waltrail runs.');
    return { url, stop: () => teardown.run() };
  } catch (error) {
    await teardown.run();
    throw error;
  }
}

/**
 * In the order of dependence, and so that the reverse is the right order to stop: no new requests, then no new work,
 * then no connections. HTTP comes before capture, so that a busy port is found before the slot is taken.
 */
async function start({ settings, config, roles, log }: DaemonOptions, teardown: Teardown): Promise<string> {
  const { url } = config.trail;
  await migrateTrail({ url, log });

  const role = (await isMember(url, READER_ROLE)) ? { role: READER_ROLE } : {};
  const readPool = createPool({
    url,
    purpose: 'reader',
    max: READ_CONNECTIONS,
    statementTimeoutMs: READ_TIMEOUT_MS,
    ...role,
  });
  teardown.add('reader', { limitMs: 5_000, stop: () => readPool.end() });
  const accessPool = createPool({
    url,
    purpose: 'access',
    max: ACCESS_CONNECTIONS,
    statementTimeoutMs: READ_TIMEOUT_MS,
  });
  teardown.add('access', { limitMs: 5_000, stop: () => accessPool.end() });
  const reader = new TrailReader({ pool: readPool });

  let capture: Capture | undefined;
  if (roles.includes('capture')) {
    const housekeeping = startHousekeeping({ url, retentionDays: config.trail.retentionDays, log });
    teardown.add('housekeeping', { limitMs: 10_000, stop: () => housekeeping.stop() });
    startPruning({ config, log, teardown, pool: accessPool });
    teardown.add('capture', { limitMs: 15_000, stop: () => capture?.stop() });
  }
  if (roles.includes('exports')) {
    const worker = await startExportWorker({ settings, config, log });
    // The worker hands its exports back by itself; the limit is for a database that does not answer.
    teardown.add('export worker', { limitMs: 15_000, stop: () => worker.stop() });
  }
  const exports = roles.includes('api')
    ? await openApiExports({ settings, config, log, teardown })
    : undefined;

  const streams = new OpenStreams({ max: MAX_STREAMS });
  const http = await listenHttp(
    {
      facts: {
        version: readVersion(),
        roles,
        startedAt: new Date().toISOString(),
        source: config.source.name,
        maxRangeMs: config.reports.maxRangeMs,
        timezone: config.reports.timezone,
        retentionDays: config.trail.retentionDays,
        queue: settings.redisUrl === undefined ? 'postgres' : 'redis',
      },
      pool: accessPool,
      reader,
      exports,
      capture: () => capture?.status() ?? null,
      metrics: new Metrics({
        capture: () => capture?.status() ?? null,
        head: () => reader.head(),
        exports: () => readExportFigures(accessPool),
        openStreams: () => streams.size,
      }),
      feed: new LiveFeed({ trail: reader, log }),
      streams,
      authenticator: new Authenticator({ pool: accessPool }),
      access: new AccessRecord({ pool: accessPool, log }),
      log,
    },
    settings,
  );
  teardown.add('http', { limitMs: 12_000, stop: () => http.close({ limitMs: 10_000 }) });

  if (roles.includes('capture')) capture = startCapture({ config, log });
  return http.url;
}

async function openApiExports(
  options: Omit<DaemonOptions, 'roles'> & { readonly teardown: Teardown },
): Promise<Exports> {
  const { config, teardown } = options;
  const opened = await openExports({ ...options, reports: () => config.reports });
  teardown.add('exports', { limitMs: 5_000, stop: () => opened.close() });
  return opened.exports;
}

/** The access record is kept as long as the entries it is about. */
function startPruning(options: {
  config: TrackingConfig;
  log: Log;
  pool: pg.Pool;
  teardown: Teardown;
}): void {
  const { config, log, pool, teardown } = options;
  const { retentionDays } = config.trail;
  if (retentionDays === null) return;
  const prune = (): void => {
    pruneAccess(pool, { retentionDays }).catch((error: unknown) =>
      log.warn(
        { code: (error as { code?: unknown }).code },
        'The access record could not be pruned; it will be tried again.',
      ),
    );
  };
  prune();
  const timer = setInterval(prune, PRUNE_INTERVAL_MS);
  teardown.add('pruning', { limitMs: 1_000, stop: () => clearInterval(timer) });
}

/** Whether the trail's login role may take on `role`, which a DBA may not have granted, or not made. */
async function isMember(url: string, role: string): Promise<boolean> {
  const client = await connect({ url, purpose: 'start' });
  try {
    const { rowCount } = await client.query(
      /* sql */ `select from pg_roles where rolname = $1 and pg_has_role(current_user, oid, 'member')`,
      [role],
    );
    return rowCount === 1;
  } finally {
    await client.end();
  }
}

function readVersion(): string {
  const manifest = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as {
    version: string;
  };
  return manifest.version;
}
