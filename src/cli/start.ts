import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import { createLog } from '../log.js';
import type { Settings } from '../settings.js';
import { Teardown } from '../teardown.js';
import type { Boot, Reloading } from './boot.js';
import { defineCommand, type Command } from './command.js';
import { checkStartOptions, START_HELP, START_OPTIONS, START_USAGE } from './start-options.js';
import { startOnOwn } from './start-own.js';
import { startOnSample } from './start-sample.js';

/** Exit code after a second signal, SIGINT or SIGTERM. Shells report SIGINT with it. */
const EXIT_FORCED = 130;
const PARENT_INTERVAL_MS = 250;

class Interrupted extends Error {}

/**
 * `waltrail start`: runs until SIGINT or SIGTERM and resolves with the exit code. A second signal ends the
 * process immediately. That is safe, too: changes whose entries are not committed are read again, and a guard
 * stops the embedded server.
 */
export const start: Command = defineCommand({
  usage: START_USAGE,
  help: START_HELP,
  options: START_OPTIONS,
  json: false,
  run: async ({ values, say, settings: readSettings }) => {
    const options = checkStartOptions(values);
    const settings = options.override(readSettings());
    const log = createLog({ level: settings.logLevel });
    const stopping = new AbortController();
    const onSignal = (): void => {
      if (stopping.signal.aborted) process.exit(EXIT_FORCED);
      say('\nwaltrail: stopping … (again to force)\n');
      stopping.abort(new Interrupted());
    };
    process.on('SIGINT', onSignal).on('SIGTERM', onSignal);
    // SIGHUP reloads. If the terminal of the process closes, SIGHUP stops it.
    let daemon: Reloading | undefined;
    const hadTerminal = process.stdin.isTTY;
    const onHangUp = (): void => {
      if (hadTerminal && !hasTerminal()) onSignal();
      else void daemon?.reload({ by: null });
    };
    process.on('SIGHUP', onHangUp);
    const unwatch = watchNpm(settings, () => stopping.signal.aborted || onSignal());

    const teardown = new Teardown(log);
    try {
      const boot: Boot = {
        options,
        settings,
        log,
        teardown,
        say,
        signal: stopping.signal,
        onReload: (started) => (daemon = started),
      };
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
      process.off('SIGINT', onSignal).off('SIGTERM', onSignal).off('SIGHUP', onHangUp);
    }
  },
});

function hasTerminal(): boolean {
  try {
    closeSync(openSync('/dev/tty', 'r'));
    return true;
  } catch {
    return false;
  }
}

/**
 * Calls `onGone` when the shell in which npm runs a script has ended. npm passes SIGTERM on to that shell,
 * which ends without telling its child. So the process that `npm start` started has to notice it.
 */
function watchNpm(settings: Settings, onGone: () => void): () => void {
  if (!settings.isNpmScript) return () => undefined;
  const parent = process.ppid;
  const timer = setInterval(() => {
    if (process.ppid !== parent) onGone();
  }, PARENT_INTERVAL_MS);
  return () => clearInterval(timer);
}
