import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { until } from './until.ts';

/** The compiled code, as in jest.config.mjs. test/faults/guards.mjs tests another copy. */
const DIST = process.env.WALTRAIL_TEST_DIST ?? path.resolve(import.meta.dirname, '../../dist');
const CLI = path.join(DIST, 'cli/cli.js');

export interface DaemonProcess {
  readonly pid: number;
  readonly exited: boolean;
  /** Standard error so far. */
  readonly log: () => string;
  kill(signal: NodeJS.Signals): Promise<void>;
}

/** Runs real `waltrail start` processes on given databases, and ends those that remain. */
export interface DaemonGround extends AsyncDisposable {
  readonly folder: string;
  start(args?: readonly string[], environment?: Readonly<Record<string, string>>): DaemonProcess;
}

export async function daemonGround(options: {
  readonly sourceUrl: string;
  readonly trailUrl: string;
  /** The whole YAML; `${WALTRAIL_SOURCE_URL}` and `${WALTRAIL_TRAIL_URL}` stand for the databases. */
  readonly yaml: string;
  readonly environment?: Readonly<Record<string, string>>;
}): Promise<DaemonGround> {
  const folder = await mkdtemp(path.join(os.tmpdir(), 'waltrail-daemon-'));
  const config = path.join(folder, 'waltrail.yaml');
  await writeFile(config, options.yaml);
  const running = new Set<ChildProcess>();
  return {
    folder,
    start: (args = ['--roles', 'capture', '--port', '0'], environment = {}) => {
      const child = spawn(process.execPath, ['--enable-source-maps', CLI, 'start', ...args], {
        env: {
          PATH: process.env.PATH,
          HOME: folder,
          WALTRAIL_SOURCE_URL: options.sourceUrl,
          WALTRAIL_TRAIL_URL: options.trailUrl,
          WALTRAIL_CONFIG: config,
          WALTRAIL_DATA_DIR: path.join(folder, 'data'),
          ...options.environment,
          ...environment,
        },
        stdio: ['ignore', 'ignore', 'pipe'],
      });
      running.add(child);
      let log = '';
      child.stderr.on('data', (chunk: Buffer) => {
        log = (log + chunk.toString()).slice(-100_000);
      });
      return {
        pid: child.pid!,
        get exited() {
          return child.exitCode !== null || child.signalCode !== null;
        },
        log: () => log,
        kill: async (signal) => {
          running.delete(child);
          if (child.exitCode !== null || child.signalCode !== null) return;
          const gone = once(child, 'exit');
          child.kill(signal);
          await gone;
        },
      };
    },
    [Symbol.asyncDispose]: async () => {
      for (const child of running) {
        if (child.exitCode !== null || child.signalCode !== null) continue;
        const gone = once(child, 'exit');
        child.kill('SIGKILL');
        await gone;
      }
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** Peak resident memory of a process so far, in MB (VmHWM of Linux). */
export async function peakRssMb(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  return Number(/VmHWM:\s+(\d+) kB/.exec(status)![1]) / 1024;
}

/** Reads `run.json` of a daemon that was started in `folder`, once it exists. */
export async function runFile(
  folder: string,
  limitMs = 90_000,
): Promise<{ url: string; token: string; pid: number }> {
  let text = '';
  await until(
    'run.json',
    async () => {
      text = await readFile(path.join(folder, 'data', 'run.json'), 'utf8').catch(() => '');
      return text !== '';
    },
    limitMs,
  );
  return JSON.parse(text) as { url: string; token: string; pid: number };
}

/**
 * Waits until a daemon streams. An active slot is not enough: a slot is already active while it is created,
 * and a change at that moment comes before the trail begins.
 */
export const untilStreaming = (daemon: DaemonProcess): Promise<void> =>
  until('the daemon to stream', () => {
    if (daemon.exited) throw new Error(`the daemon ended: ${daemon.log()}`);
    return daemon.log().includes('Capture streams');
  });

/** Returns the address at which a daemon listens, from its log. */
export async function addressOf(daemon: DaemonProcess): Promise<string> {
  let address: string | undefined;
  await until(`the address of a daemon: ${daemon.log()}`, () => {
    if (daemon.exited) throw new Error(`the daemon ended: ${daemon.log()}`);
    address = /"url":"(http[^"]+)"/.exec(daemon.log())?.[1];
    return address !== undefined;
  });
  return address!.replace(/\/$/, '');
}
