import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { createToken, revokeTokensNamed } from '../admin/auth/tokens.js';
import { removeRunFile, writeRunFile } from '../embedded/run-file.js';
import { startSample, type Sample } from '../embedded/sample.js';
import { startTraffic } from '../embedded/traffic.js';
import { WaltrailError } from '../errors.js';
import { createPool, withClient } from '../pg/connect.js';
import type { Settings } from '../settings.js';
import { applyPlan } from '../tracking/apply.js';
import { loadConfig } from '../tracking/load.js';
import type { TrackingConfig } from '../tracking/rules.js';
import type { Boot, Running } from './boot.js';
import { SAMPLE_CONFIG } from './config.js';
import { makePlan } from './source-plan.js';

/** Name of the token that run.json holds, as the access record shows it. */
const TOKEN_NAME = 'npm start';
const SIGN_IN_NAME = 'npm start, sign-in link';
/**
 * Hours for which the sign-in code is valid: longer than it takes to find the terminal again. The code works
 * once.
 */
const SIGN_IN_HOURS = 12;
const HOUR_MS = 3_600_000;
const READY_TIMEOUT_MS = 30_000;

/**
 * Starts without configuration: PostgreSQL, sample CRM, tracking plan, daemon, tokens and traffic, in the
 * order of their dependencies.
 */
export async function startOnSample(boot: Boot): Promise<Running> {
  const { options, log, teardown, signal } = boot;
  const began = Date.now();
  const onProgress = (phrase: string): void => boot.say(`waltrail: ${phrase} …\n`);
  const { dataDir } = boot.settings;

  // Loading the daemon's libraries takes about as long as PostgreSQL needs to start.
  const loading = import('../main.js');
  loading.catch(() => undefined);
  const sample = await startSample({ home: path.join(dataDir, 'postgres'), onProgress });
  let stopping = false;
  teardown.add('PostgreSQL', {
    limitMs: 40_000,
    stop: () => {
      stopping = true;
      return sample.postgres.stop();
    },
  });
  const lost = sample.postgres.ended.then(() => {
    if (!stopping) throw lostError(dataDir);
  });
  // The rejection is handled only after the start. If PostgreSQL ends before, the start fails with a
  // connection error.
  lost.catch(() => undefined);
  // A killed run may have left its file. This run holds the lock of the folder, so it may remove the file.
  await removeRunFile(dataDir, null);
  signal.throwIfAborted();

  const settings = withUrls(boot.settings, sample);
  const readConfig = (): TrackingConfig =>
    loadConfig({ file: settings.configFile ?? SAMPLE_CONFIG, environment: settings.environment });
  const config = readConfig();
  await applyTracking(config, onProgress);
  signal.throwIfAborted();

  onProgress('starting the daemon');
  const { startDaemon } = await loading;
  const daemon = await startDaemon({ settings, config, readConfig, roles: options.roles, log });
  boot.onReload(daemon);
  teardown.add('daemon', { limitMs: 60_000, stop: () => daemon.stop() });
  await untilReady(daemon.ready, signal);

  const { token, code } = await makeTokens(config.trail.url);
  if (options.traffic) {
    const traffic = startTraffic({ url: sample.sourceUrl, log });
    teardown.add('traffic', { limitMs: 5_000, stop: () => traffic.stop() });
  }
  const { sourceUrl, trailUrl } = sample;
  await writeRunFile(dataDir, { url: daemon.url, token, sourceUrl, trailUrl, pid: process.pid });
  teardown.add('run.json', { limitMs: 1_000, stop: () => removeRunFile(dataDir, process.pid) });
  boot.say(
    greeting({
      url: daemon.pageUrl,
      code,
      sourceUrl,
      dataDir,
      traffic: options.traffic,
      tookMs: Date.now() - began,
    }),
  );
  return { lost };
}

/**
 * Waits until capture is ready. The trail begins where the slot begins, so an earlier change would have no
 * entry. So the invitation to try is printed only afterwards. If capture does not start within a limit, the
 * start continues, and the page and the log say why.
 */
async function untilReady(ready: Promise<void>, signal: AbortSignal): Promise<void> {
  await Promise.race([
    ready,
    delay(READY_TIMEOUT_MS, undefined, { signal, ref: false }).catch(() => undefined),
  ]);
  signal.throwIfAborted();
}

/**
 * Returns settings with the URLs of the embedded server, for `${WALTRAIL_SOURCE_URL}` in the YAML. The
 * environment of this process stays as it is.
 */
function withUrls(settings: Settings, { sourceUrl, trailUrl }: Sample): Settings {
  const environment = {
    ...settings.environment,
    WALTRAIL_SOURCE_URL: sourceUrl,
    WALTRAIL_TRAIL_URL: trailUrl,
  };
  return { ...settings, sourceUrl, trailUrl, environment };
}

async function applyTracking(config: TrackingConfig, onProgress: (phrase: string) => void): Promise<void> {
  await withClient({ url: config.source.url, side: 'source', purpose: 'apply' }, async (client) => {
    const { plan } = await makePlan({ config, client });
    if (plan.steps.length > 0) onProgress('applying the tracking plan to the sample CRM');
    await applyPlan(client, plan);
  });
}

/**
 * Creates new tokens at every start. The API token of the last run is revoked; a browser that is signed in
 * stays signed in.
 */
async function makeTokens(url: string): Promise<{ token: string; code: string }> {
  const pool = createPool({ url, side: 'trail', purpose: 'start', max: 1 });
  try {
    await revokeTokensNamed(pool, TOKEN_NAME);
    const token = await createToken(pool, { name: TOKEN_NAME, role: 'admin' });
    const code = await createToken(pool, {
      name: SIGN_IN_NAME,
      role: 'admin',
      singleUse: true,
      expiresAt: new Date(Date.now() + SIGN_IN_HOURS * HOUR_MS),
    });
    return { token, code };
  } finally {
    await pool.end();
  }
}

function lostError(dataDir: string): WaltrailError {
  const log = path.join(dataDir, 'postgres', 'server.log');
  return new WaltrailError('EMBEDDED_FAILED', `The embedded PostgreSQL ended unexpectedly (${log}).`, {
    remedy: 'Read the log and start again: nothing that was committed is lost.',
  });
}

function greeting(facts: {
  readonly url: string;
  readonly code: string;
  readonly sourceUrl: string;
  readonly dataDir: string;
  readonly traffic: boolean;
  readonly tookMs: number;
}): string {
  const near = path.relative(process.cwd(), facts.dataDir);
  const folder = near.startsWith('..') ? facts.dataDir : near;
  return `
Waltrail runs on a sample CRM${facts.traffic ? ', in which simulated people are at work' : ''} (started in ${(facts.tookMs / 1000).toFixed(1)} s).

  Page      ${facts.url}/
  Sign in   ${facts.url}/#signin=${facts.code}
            (works once, for ${SIGN_IN_HOURS} hours; restart for another)
  Source    psql "${facts.sourceUrl}"
  Try       update customers set vip = not vip, updated_by = 2 where id = 1;
  API       the token and all addresses are in ${path.join(folder, 'run.json')}
  Stop      Ctrl-C; the data stays in ${folder}

`;
}
