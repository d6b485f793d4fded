import { startCapture, type Capture } from '../../src/capture/capture.js';
import { createLog, silentLog } from '../../src/log.js';
import { migrateTrail } from '../../src/trail/migrate.js';
import type { TrackingConfig } from '../../src/tracking/rules.js';
import {
  applyTracking,
  readEntries,
  streaming,
  testConfig,
  untilCaughtUp,
  type PlainEntry,
} from '../support/capture.ts';
import { daemonGround, untilStreaming, type DaemonGround, type DaemonProcess } from '../support/daemon.ts';
import { freshDatabase, slotFree, type TestDatabase } from '../support/database.ts';
import { LOAD_SQL, LOAD_YAML, type Load } from '../support/load.ts';
import { expectExact, type Verdict } from '../support/oracle.ts';
import { faultyProxy, type FaultyProxy } from '../support/proxy.ts';
import { ownServer, type OwnServer } from '../support/server.ts';
import { until } from '../support/until.ts';

/**
 * Time between two ticks of a connection in these tests. Twelve ticks make it dead, so after 2.4 s instead of
 * a minute.
 */
export const TICK_MS = 200;

/**
 * A source under load with the oracle, a trail, and a proxy in front of each. All capture goes through the
 * proxies.
 */
export interface FaultGround extends AsyncDisposable {
  /** Without the proxy. */
  readonly source: TestDatabase;
  readonly trail: TestDatabase;
  readonly toSource: FaultyProxy;
  readonly toTrail: FaultyProxy;
  /** Through the proxies. */
  readonly config: TrackingConfig;
  /** Without the proxies, to apply it. */
  readonly direct: TrackingConfig;
  /** Through the proxies. */
  readonly daemons: DaemonGround;
  readonly slot: string;
  /**
   * Starts a capture in this process, which ends with the ground. After a second call, {@link capture} is the
   * later one.
   */
  startCapture(options?: { readonly tickMs?: number }): Capture;
  /** The capture in this process. */
  readonly capture: Capture;
  /** Starts a daemon, and resolves when it has the stream. */
  startDaemon(environment?: Readonly<Record<string, string>>): Promise<DaemonProcess>;
  /** Entries stored so far; -1 before the trail begins. */
  stored(): Promise<number>;
  /** Waits for more entries than are stored now. */
  storesMore(limitMs?: number): Promise<void>;
  caughtUp(): Promise<PlainEntry[]>;
  entries(): Promise<PlainEntry[]>;
  /**
   * Ends the load after that number of transactions, waits until all of it is stored and lets the oracle
   * judge.
   */
  exact(options: {
    readonly load?: Load;
    readonly atLeast: number;
    readonly limitMs?: number;
  }): Promise<Verdict>;
}

export interface OwnServers {
  readonly source?: OwnServer;
  readonly trail?: OwnServer;
}

/** Starts a source that a test shuts down. What was acknowledged to its clients must be on disk. */
export const ownSource = (settings: Readonly<Record<string, string>> = {}): Promise<OwnServer> =>
  ownServer('source', settings);

export async function ownTrail(settings: Readonly<Record<string, string>> = {}): Promise<OwnServer> {
  const server = await ownServer('trail', settings);
  await migrateTrail({ url: server.database.url, log: silentLog });
  return server;
}

export interface FaultGroundOptions {
  /** Servers that the test may shut down. By default the databases are on the run's server. */
  readonly servers?: OwnServers;
  /** wal_sender_timeout of the source. */
  readonly senderTimeout?: string;
  /** SQL for the source, after that of the load. */
  readonly sql?: string;
  /** Further keys under `source` of the YAML, after name, url, slot and publication: `, key: value`. */
  readonly sourceYaml?: string;
  /** Further tables under `tables` of the YAML, after those of the load. */
  readonly tablesYaml?: string;
}

export async function faultGround(options: FaultGroundOptions = {}): Promise<FaultGround> {
  const { sourceYaml = '' } = options;
  const yaml = `${LOAD_YAML}${options.tablesYaml ?? ''}`;
  const source = options.servers?.source?.database ?? (await freshDatabase('empty'));
  const trail = options.servers?.trail?.database ?? (await freshDatabase('trail'));
  await source.query(`${LOAD_SQL} ${options.sql ?? ''}`);
  if (options.senderTimeout !== undefined)
    await source.query(`alter database ${source.name} set wal_sender_timeout = '${options.senderTimeout}'`);
  const direct = testConfig({ source, trail, yaml, sourceYaml });
  await applyTracking(direct);
  const toSource = await faultyProxy(source.url);
  const toTrail = await faultyProxy(trail.url);
  const sourceUrl = toSource.through(source.url);
  const trailUrl = toTrail.through(trail.url);
  const config = testConfig({
    source: { ...source, url: sourceUrl },
    trail: { ...trail, url: trailUrl },
    yaml,
    sourceYaml,
  });
  const { slot } = config.source;
  const daemons = await daemonGround({
    sourceUrl,
    trailUrl,
    yaml: `
source: { name: test, url: "\${WALTRAIL_SOURCE_URL}", slot: ${slot}, publication: waltrail${sourceYaml} }
trail: { url: "\${WALTRAIL_TRAIL_URL}" }
${yaml}`,
  });
  const captures: Capture[] = [];
  const log = process.env['WALTRAIL_TEST_LOG'] ? createLog({ level: 'debug' }) : silentLog;
  const stored = async (): Promise<number> =>
    Number(
      (await trail.query<{ n: string }>(`select coalesce(max(entries), -1) as n from trail.checkpoint`))[0]!
        .n,
    );
  return {
    source,
    trail,
    toSource,
    toTrail,
    config,
    direct,
    daemons,
    slot,
    stored,
    startCapture: ({ tickMs = TICK_MS } = {}) => {
      const capture = startCapture({ config, log, pace: { tickMs } });
      captures.push(capture);
      return capture;
    },
    get capture() {
      return captures.at(-1)!;
    },
    startDaemon: async (environment = {}) => {
      const daemon = daemons.start(undefined, environment);
      // Not earlier: the trail begins at the slot's consistent point, and the daemon cannot have changes from
      // before it.
      await untilStreaming(daemon);
      return daemon;
    },
    storesMore: async (limitMs?: number) => {
      const before = await stored();
      await until(`more than ${before} entries`, async () => (await stored()) > before, limitMs);
    },
    caughtUp: async () => {
      await untilCaughtUp(source, trail);
      return readEntries(trail);
    },
    entries: () => readEntries(trail),
    exact: async ({ load, atLeast, limitMs }) => {
      await load?.stop(atLeast);
      await untilCaughtUp(source, trail, limitMs);
      return expectExact({ source, trail, atLeast });
    },
    [Symbol.asyncDispose]: async () => {
      toSource.pass();
      toTrail.pass();
      for (const capture of captures) await capture.stop();
      await daemons[Symbol.asyncDispose]();
      await toSource[Symbol.asyncDispose]();
      await toTrail[Symbol.asyncDispose]();
      if (options.servers?.trail === undefined) await trail[Symbol.asyncDispose]();
      if (options.servers?.source === undefined) await source[Symbol.asyncDispose]();
    },
  };
}

/** Creates a ground with a capture in this process that streams. */
export async function streamingGround(
  options: FaultGroundOptions & { readonly tickMs?: number } = {},
): Promise<FaultGround> {
  const ground = await faultGround(options);
  try {
    await streaming(ground.startCapture({ tickMs: options.tickMs ?? TICK_MS }));
    return ground;
  } catch (error) {
    await ground[Symbol.asyncDispose]();
    throw error;
  }
}

/** Stops the capture in this process, and waits until its slot can be read by another. */
export async function stopAndFree(g: FaultGround): Promise<void> {
  await g.capture.stop();
  await slotFree(g.source, g.slot);
}

/** Makes one change that its text identifies. */
export const note = (source: TestDatabase, text: string): Promise<unknown[]> =>
  source.query(`update accounts set note = '${text}' where id = 1`);

/** Returns the texts of {@link note} that were stored. */
export const notes = (entries: readonly PlainEntry[]): unknown[] =>
  entries.filter(({ entityType }) => entityType === 'account').map(({ updated }) => updated!['note']);

/** Waits until capture has stopped, or tries again, because of `code`. */
export const untilError = (capture: Capture, code: string, limitMs?: number): Promise<void> =>
  until(`capture to meet ${code}`, () => capture.status().error?.code === code, limitMs);

export const untilStopped = (g: { readonly capture: Capture }, code: string): Promise<void> =>
  until(`capture to stop with ${code}`, () => {
    const { state, error } = g.capture.status();
    return state === 'stopped' && error?.code === code;
  });

/** Time within which a gap must be an entry of the trail. */
const DETECTION_LIMIT_MS = 5_000;

/** Waits for the entry of a gap. It must begin at the first LSN whose changes may be missing. */
export async function gapFound(
  g: { entries(): Promise<PlainEntry[]> },
  code: string,
  limitMs = DETECTION_LIMIT_MS,
): Promise<PlainEntry> {
  const found = async (): Promise<PlainEntry | undefined> =>
    (await g.entries()).find(({ action, updated }) => action === 'gap' && updated!['code'] === code);
  await until(`an entry for the gap ${code}`, async () => (await found()) !== undefined, limitMs);
  return (await found())!;
}
