import { availableParallelism } from 'node:os';
import type pg from 'pg';
import { AccessRecord } from './admin/auth/access.js';
import { Authenticator } from './admin/auth/authenticator.js';
import { Site } from './admin/auth/site.js';
import { listenHttp } from './admin/http.js';
import { readExportFigures } from './admin/routes/export-figures.js';
import { Metrics } from './admin/routes/metrics.js';
import { PLAIN_READS, Readings, SEARCHES } from './admin/routes/readings.js';
import { CATCH_UP_READS, LiveFeed } from './admin/stream/live.js';
import { sliced, Slices } from './admin/stream/slices.js';
import { OpenStreams } from './admin/stream/sse.js';
import { openExports, type OpenExports } from './exports/open.js';
import type { Log } from './log.js';
import { startCapture, type Capture, type Reloaded } from './capture/capture.js';
import { CurrentConfig } from './current-config.js';
import { isWaltrailError } from './errors.js';
import type { Role, Settings } from './settings.js';
import { Teardown } from './teardown.js';
import { startHousekeeping } from './trail/housekeeping.js';
import { migrateTrail } from './trail/migrate.js';
import { watchReloads, type ReloadAnswer } from './trail/reloads.js';
import { TrailReader } from './trail/read/trail-reader.js';
import { checkLogins } from './trail/logins.js';
import { openTrailPool, urlOf, type TrailLogin, type TrailUrls } from './trail/roles.js';
import type { TrackingConfig } from './tracking/rules.js';
import { readVersion } from './version.js';

export interface DaemonOptions {
  readonly settings: Settings;
  readonly config: TrackingConfig;
  /**
   * Reads the file of `config` again, for a reload. Throws what loading throws. Without it, a reload keeps
   * `config`.
   */
  readonly readConfig?: () => TrackingConfig;
  /** The roles of this process. Health and metrics are always served. */
  readonly roles: readonly Role[];
  readonly log: Log;
}

export interface Daemon {
  /** The URL at which HTTP listens, for example `http://127.0.0.1:8080`. */
  readonly url: string;
  /** The URL at which browsers open the page: `WALTRAIL_PUBLIC_URL`, or `url`. */
  readonly pageUrl: string;
  /**
   * Resolves when capture first streams or waits as a standby. In a process that does not capture, it
   * resolves at once.
   */
  readonly ready: Promise<void>;
  /**
   * Reads the file again and uses it without a restart. Resolves with the outcome. Never rejects: a refused
   * file changes nothing.
   */
  reload(asked: { readonly by: string | null }): Promise<ReloadAnswer>;
  /**
   * Ends everything in the reverse order of its start, each part within a limit. Never rejects; may be called
   * again.
   */
  stop(): Promise<void>;
}

/**
 * Connections for plain reads, for the live view (three, and one for its head), and for status and metrics.
 */
const READ_CONNECTIONS = PLAIN_READS.atOnce + 6;
const SEARCH_CONNECTIONS = SEARCHES.atOnce + CATCH_UP_READS.atOnce;
const ACCESS_CONNECTIONS = 5;
/**
 * Slices of long reads that run at the same time. One processor is left for everything else. If PostgreSQL
 * runs on another machine, this is a guess, and searches may take longer than necessary.
 */
const LONG_READS = { atOnce: Math.max(availableParallelism() - 1, 1) };
/** PostgreSQL cancels a page that takes longer, so that a few slow filters do not occupy every connection. */
const READ_TIMEOUT_MS = 30_000;
/**
 * Limits of live streams. A token may have 20: three browsers with six connections to one host each, and two
 * more. The last `forAdmins` streams are reserved for admins, so that they can look while others use all the
 * rest.
 */
const STREAMS = { max: 200, forAdmins: 20, forToken: 20 };

/**
 * Starts the daemon: migrates the trail, then starts the parts of its roles. If a part fails to start, the
 * parts before it are stopped. Throws PG_UNREACHABLE, PG_REFUSED, PG_MIGRATION_FAILED, HTTP_PORT_BUSY.
 */
export async function startDaemon(options: DaemonOptions): Promise<Daemon> {
  const teardown = new Teardown(options.log);
  try {
    const started = await start(options, teardown);
    options.log.info({ url: started.url, roles: options.roles }, 'Waltrail runs.');
    return { ...started, stop: () => teardown.run() };
  } catch (error) {
    await teardown.run();
    throw error;
  }
}

/**
 * Starts the parts in the order of their dependencies. The reverse is the right order to stop: no new
 * requests, then no new work, then no connections. HTTP starts before capture, so that a busy port is found
 * before the slot is taken.
 */
async function start(options: DaemonOptions, teardown: Teardown): Promise<Omit<Daemon, 'stop'>> {
  const { settings, roles, log } = options;
  const current = new CurrentConfig({
    config: options.config,
    read: options.readConfig ?? (() => options.config),
  });
  const { trail } = options.config;
  await migrateTrail({ url: trail.url, log });
  await checkLogins({ trail, writes: roles.includes('capture'), log });

  const { readPool, searchPool, accessPool } = openPools(trail, teardown);
  const reader = new TrailReader({ pool: readPool });
  const searchReader = new TrailReader({ pool: searchPool });
  const slices = new Slices(LONG_READS);

  let capture: Capture | undefined;
  if (roles.includes('capture')) {
    const retentionDays = (): number | null => current.now.trail.retentionDays;
    const housekeeping = startHousekeeping({ url: urlOf(trail, 'keeper'), retentionDays, log });
    teardown.add('housekeeping', { limitMs: 10_000, stop: () => housekeeping.stop() });
    teardown.add('capture', { limitMs: 15_000, stop: () => capture?.stop() });
  }
  const exports = startExports(options, teardown);

  const streams = new OpenStreams(STREAMS);
  // The URL without the parts that may contain a password.
  const instance = trail.url.replace(/^.*@|\?.*$/g, '');
  const site = new Site({ origin: settings.publicUrl, instance });
  const http = await listenHttp(
    {
      facts: {
        version: readVersion(),
        roles,
        startedAt: new Date().toISOString(),
        source: options.config.source.name,
        get maxRangeMs() {
          return current.now.reports.maxRangeMs;
        },
        get maxRangeDays() {
          return current.now.reports.maxRangeDays;
        },
        get timezone() {
          return current.now.reports.timezone;
        },
        get retentionDays() {
          return current.now.trail.retentionDays;
        },
        queue: settings.redisUrl === undefined ? 'postgres' : 'redis',
      },
      pool: accessPool,
      reader,
      readings: new Readings({ reader, searchReader, slices }),
      exports: roles.includes('api') ? exports?.forApi(() => current.now.reports) : undefined,
      queue: () => exports?.queue.status() ?? null,
      capture: () => capture?.status() ?? null,
      metrics: new Metrics({
        capture: () => capture?.status() ?? null,
        head: () => reader.head(),
        gaps: () => reader.gapCounts(),
        exports: () => readExportFigures(accessPool),
        queue: () => exports?.queue.status() ?? null,
        openStreams: () => streams.size,
      }),
      feed: new LiveFeed({ trail: reader, catchUp: sliced(searchReader, slices), log }),
      streams,
      site,
      authenticator: new Authenticator({
        pool: accessPool,
        site,
        sessionIdleMinutes: settings.sessionIdleMinutes,
      }),
      access: new AccessRecord({ pool: accessPool, log }),
      log,
    },
    settings,
  );
  teardown.add('http', { limitMs: 12_000, stop: () => http.close({ limitMs: 10_000 }) });

  if (roles.includes('capture')) {
    const readConfig = (): TrackingConfig | undefined => {
      try {
        return current.read();
      } catch {
        // A refused file counts as no new configuration here. A reload reports the error.
        return undefined;
      }
    };
    capture = startCapture({ config: options.config, readConfig, log, spoolFolder: settings.spoolDir });
  }
  const reload = (asked: { readonly by: string | null }): Promise<ReloadAnswer> =>
    takeOver({ current, capture, log, asked });
  const reloads = watchReloads({ url: urlOf(trail, 'keeper'), log, reload });
  teardown.add('reloads', { limitMs: 5_000, stop: () => reloads.stop() });
  return {
    url: http.url,
    pageUrl: settings.publicUrl ?? http.url,
    ready: capture?.ready ?? Promise.resolve(),
    reload,
  };
}

const OUTCOMES: Readonly<Record<Reloaded, string>> = {
  'in effect': 'The file is in effect.',
  'waits for apply':
    'The file was read. Its tracking rules take effect at the position where waltrail apply prepares the source for them. Run waltrail apply.',
  'waits for position':
    'The file was read. Its tracking rules take effect when the stream reaches the position of the last waltrail apply.',
  'not open': 'The file was read. It takes effect when capture starts in this process.',
};

async function takeOver(options: {
  readonly current: CurrentConfig;
  readonly capture: Capture | undefined;
  readonly log: Log;
  readonly asked: { readonly by: string | null };
}): Promise<ReloadAnswer> {
  const { current, capture, log, asked } = options;
  const captures = capture !== undefined;
  let config: TrackingConfig;
  try {
    config = current.read();
  } catch (thrown) {
    if (!isWaltrailError(thrown)) throw thrown;
    const { code, message, remedy } = thrown;
    log.error({ code, remedy }, message);
    return { captures, digest: null, outcome: `${code}: ${message}\n${remedy}` };
  }
  current.take(config);
  const outcome = OUTCOMES[(await capture?.reload(config, asked)) ?? 'in effect'];
  log.info({ digest: config.definition.digest, by: asked.by }, outcome);
  return { captures, digest: config.definition.digest, outcome };
}

/**
 * Opens exports and starts their worker, depending on the roles. The queue may be unavailable: exports then
 * wait and show the reason. Returns undefined in a process without a role for exports.
 */
function startExports(options: DaemonOptions, teardown: Teardown): OpenExports | undefined {
  const { roles } = options;
  if (!roles.includes('api') && !roles.includes('exports')) return undefined;
  const exports = openExports(options);
  teardown.add('exports', { limitMs: 15_000, stop: () => exports.close() });
  if (roles.includes('exports')) {
    const worker = exports.startWorker();
    // The worker returns its exports to the queue when it stops. The limit is for a database that does not
    // answer.
    teardown.add('export worker', { limitMs: 15_000, stop: () => worker.stop() });
  }
  return exports;
}

/**
 * Opens separate pools. Slow reads then never delay authentication and the access record, and long reads
 * never take the connections of plain pages.
 */
function openPools(
  trail: TrailUrls,
  teardown: Teardown,
): { readPool: pg.Pool; searchPool: pg.Pool; accessPool: pg.Pool } {
  const open = (purpose: string, options: { readonly max: number; readonly login: TrailLogin }): pg.Pool => {
    const { max, login } = options;
    const pool = openTrailPool({
      url: urlOf(trail, login),
      purpose,
      role: `waltrail_${login}`,
      max,
      statementTimeoutMs: READ_TIMEOUT_MS,
    });
    teardown.add(purpose, { limitMs: 5_000, stop: () => pool.end() });
    return pool;
  };
  return {
    readPool: open('reader', { max: READ_CONNECTIONS, login: 'reader' }),
    searchPool: open('search', { max: SEARCH_CONNECTIONS, login: 'reader' }),
    accessPool: open('access', { max: ACCESS_CONNECTIONS, login: 'api' }),
  };
}
