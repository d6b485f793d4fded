import { once } from 'node:events';
import type { CommandContext } from './cli.js';
import { createLog, type Log } from '../log.js';
import { connect } from '../pg/connect.js';
import type { Settings } from '../settings.js';
import { parseStartOptions, START_USAGE, type StartOptions } from './start-options.js';
import { startOnSample } from './start-sample.js';
import { Teardown } from '../teardown.js';
import { checkTracking } from '../tracking/check.js';
import { loadConfig } from '../tracking/load.js';
import type { TrackingConfig } from '../tracking/rules.js';

/** As a shell reports a process that SIGINT ended. */
const EXIT_FORCED = 130;
const PARENT_INTERVAL_MS = 250;

/** Everything a start needs on its way; steps add to `teardown` what they started. */
export interface Boot {
  readonly options: StartOptions;
  readonly settings: Settings;
  readonly log: Log;
  readonly teardown: Teardown;
  readonly write: (text: string) => void;
  /** Aborted once somebody asked to stop; looked at between steps, so that none is torn apart. */
  readonly signal: AbortSignal;
}

export interface Running {
  /** Rejects when something ended without which the daemon cannot go on; null: nothing of that kind was started. */
  readonly lost: Promise<void> | null;
}

class Interrupted extends Error {}

/**
 * `waltrail start`: runs until SIGINT or SIGTERM and resolves with the exit code; a second signal ends the process at once,
 * which is safe too: what PostgreSQL has not committed is read again, and a guard stops the embedded server.
 */
export async function startCommand({ args, write, settings: readSettings }: CommandContext): Promise<number> {
  const options = parseStartOptions(args);
  if (options === 'help') {
    write(START_USAGE);
    return 0;
  }
  const settings = options.override(readSettings());
  const log = createLog({ level: logLevel(settings) });
  const stopping = new AbortController();
  const onSignal = (): void => {
    if (stopping.signal.aborted) process.exit(EXIT_FORCED);
    write('\nwaltrail: stopping … (again to force)\n');
    stopping.abort(new Interrupted());
  };
  process.on('SIGINT', onSignal).on('SIGTERM', onSignal);
  const unwatch = watchNpm(settings, () => stopping.signal.aborted || onSignal());

  const teardown = new Teardown(log);
  try {
    const boot: Boot = { options, settings, log, teardown, write, signal: stopping.signal };
    const { lost } = settings.sourceUrl === undefined ? await startOnSample(boot) : await startOnOwn(boot);
    const stopped = stopping.signal.aborted ? undefined : once(stopping.signal, 'abort');
    await Promise.race([stopped, ...(lost === null ? [] : [lost])]);
    return 0;
  } catch (error) {
    if (error instanceof Interrupted) return 0;
    throw error;
  } finally {
    await teardown.run();
    unwatch();
    process.off('SIGINT', onSignal).off('SIGTERM', onSignal);
  }
}

/**
 * npm passes SIGTERM on to the shell that it runs a script in, and that shell dies of it without telling its child. So what
 * `npm start` started stops when the shell has gone.
 */
function watchNpm(settings: Settings, onGone: () => void): () => void {
  if (settings.environment['npm_lifecycle_event'] === undefined) return () => undefined;
  const parent = process.ppid;
  const timer = setInterval(() => {
    if (process.ppid !== parent) onGone();
  }, PARENT_INTERVAL_MS);
  return () => clearInterval(timer);
}

/** On a terminal that shows the sample, only what a person must see: its server is not there to be tuned. */
function logLevel(settings: Settings): string {
  const chosen = settings.environment['WALTRAIL_LOG_LEVEL'];
  return settings.sourceUrl === undefined && (chosen ?? '') === '' ? 'error' : settings.logLevel;
}

/** Servers of the user's own: nothing of theirs is changed, so a source that `apply` has not prepared is refused. */
async function startOnOwn(boot: Boot): Promise<Running> {
  const { options, settings, log, teardown } = boot;
  const config = await loadConfig({ file: settings.configFile, environment: settings.environment });
  if (options.roles.includes('capture')) await refuseUnprepared(config, log);
  boot.signal.throwIfAborted();
  const { startDaemon } = await import('../main.js');
  const daemon = await startDaemon({ settings, config, roles: options.roles, log });
  teardown.add('daemon', { limitMs: 60_000, stop: () => daemon.stop() });
  boot.write(`waltrail: running at ${daemon.url} (roles ${options.roles.join(', ')})\n`);
  return { lost: null };
}

async function refuseUnprepared(config: TrackingConfig, log: Log): Promise<void> {
  const client = await connect({ url: config.source.url, purpose: 'start' });
  try {
    const { remarks } = await checkTracking(client, config);
    for (const remark of remarks) log.warn({ remark }, 'The source could be prepared better.');
  } finally {
    await client.end();
  }
}
