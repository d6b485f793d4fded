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
  /** Reads the file of `config` again, for a reload; throws what loading throws. Without it there is none. */
  readonly readConfig?: () => TrackingConfig;
  /** What this process does; health and metrics are served whatever it is. */
  readonly roles: readonly Role[];
  readonly log: Log;
}

export interface Daemon {
  /** Where HTTP listens, as `http://127.0.0.1:8080`. */
  readonly url: string;
  /** Where browsers open the page: `WALTRAIL_PUBLIC_URL`, else where HTTP listens. */
  readonly pageUrl: string;
  /**
   * Resolves when capture streams or stands by for the first time; at once in a process that does not
   * capture.
   */
  readonly ready: Promise<void>;
  /**
   * Reads the file again and works by it, without a restart. Resolves with what became of it. Never rejects:
   * a file that is refused changes nothing.
   */
  reload(asked: { readonly by: string | null }): Promise<ReloadAnswer>;
  /**
   * Ends everything in the reverse order of its start, each part within a limit. Never rejects; may be called
   * again.
   */
  stop(): Promise<void>;
}

/** Those of plain reads, of the live view (three and its head), and of status and metrics. */
const READ_CONNECTIONS = PLAIN_READS.atOnce + 6;
const SEARCH_CONNECTIONS = SEARCHES.atOnce + CATCH_UP_READS.atOnce;
const ACCESS_CONNECTIONS = 5;
/**
 * Slices of long reads at the same time: one processor is left to everything else. Where PostgreSQL runs on
 * another machine it is a guess, and errs on the side of searches that take longer.
 */
const LONG_READS = { atOnce: Math.max(availableParallelism() - 1, 1) };
/**
 * A page that takes longer is cut off by PostgreSQL, so that a few bad filters do not hold every connection.
 */
const READ_TIMEOUT_MS = 30_000;
/**
 * Live streams: three browsers with the six connections that each has for one host, and two to spare, for a
 * token; nobody but admins gets the last ones, so that they can look while others have taken the rest.
 */
const STREAMS = { max: 200, forAdmins: 20, forToken: 20 };

/**
 * Starts the daemon: migrates the trail, then does what its roles say. When a part fails to start, those
 * before it are stopped again. Throws PG_UNREACHABLE, PG_REFUSED, PG_MIGRATION_FAILED, HTTP_PORT_BUSY.
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
 * In the order of dependence, and so that the reverse is the right order to stop: no new requests, then no
 * new work, then no connections. HTTP comes before capture, so that a busy port is found before the slot is
 * taken.
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
  // Without what may be a password.
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
        // Whoever asks for it is told; here it only is no other configuration.
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
    'The file was read; what it says of tracking comes into effect where waltrail apply prepares the source for it. Run it.',
  'waits for position':
    'The file was read; what it says of tracking comes into effect where the stream comes to what was applied.',
  'not open': 'The file was read; it is worked by when capture opens here.',
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
 * Opens exports and starts their worker, as the roles say. The queue is optional: where it does not work,
 * exports wait and say why. Undefined in a process that has nothing to do with exports.
 */
function startExports(options: DaemonOptions, teardown: Teardown): OpenExports | undefined {
  const { roles } = options;
  if (!roles.includes('api') && !roles.includes('exports')) return undefined;
  const exports = openExports(options);
  teardown.add('exports', { limitMs: 15_000, stop: () => exports.close() });
  if (roles.includes('exports')) {
    const worker = exports.startWorker();
    // The worker hands its exports back by itself; the limit is for a database that does not answer.
    teardown.add('export worker', { limitMs: 15_000, stop: () => worker.stop() });
  }
  return exports;
}

/**
 * Apart, so that slow reading never keeps anybody from being recognised and recorded, and what reads much
 * never takes the connections of plain pages.
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
