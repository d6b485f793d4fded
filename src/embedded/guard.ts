import { spawn, type ChildProcess } from 'node:child_process';
import { openSync, rmSync } from 'node:fs';

/** The instructions of {@link startPostgres} to the guard, as JSON in its only argument. */
export interface GuardOrder {
  readonly postgres: string;
  readonly pgCtl: string;
  readonly cluster: string;
  readonly arguments: readonly string[];
  readonly ids: { readonly uid?: number; readonly gid?: number };
  readonly logFile: string;
  /** The folder to remove after PostgreSQL has stopped. Null: none. */
  readonly remove: string | null;
}

/** The time limit for each way to stop the server. */
const STOP_MS = 10_000;

/**
 * A separate process between the daemon and PostgreSQL. It has its own session, so Ctrl-C does not reach
 * PostgreSQL before the daemon has finished. It stops PostgreSQL when its standard input ends. Anything that
 * kills the daemon, including SIGKILL, ends that pipe. It imports nothing of Waltrail, so that it starts fast
 * and stays small.
 */
function guard(order: GuardOrder): void {
  const log = openSync(order.logFile, 'a', 0o600);
  const postgres = spawn(order.postgres, order.arguments, {
    ...order.ids,
    cwd: order.cluster,
    stdio: ['ignore', log, log],
  });
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => undefined);

  let stopping = false;
  const stopOnce = (): void => {
    if (stopping) return;
    stopping = true;
    stop(order, postgres);
  };
  process.stdin.on('end', stopOnce).on('close', stopOnce).on('error', stopOnce).resume();

  postgres.on('error', (error) => {
    process.stdout.write(`error ${error.message}\n`);
    process.exitCode = 1;
    process.stdin.destroy();
  });
  postgres.on('exit', (code) => {
    if (order.remove !== null) rmSync(order.remove, { recursive: true, force: true });
    process.exit(code ?? 1);
  });
  // The daemon may have ended already.
  process.stdout.on('error', () => undefined);
  if (postgres.pid !== undefined) process.stdout.write(`started ${postgres.pid}\n`);
}

/**
 * Stops PostgreSQL, first in fast mode, which rolls back and writes a checkpoint. If a client blocks that,
 * immediate mode follows; the next start then recovers. pg_ctl only sends the signal (-W). If it waited, it
 * would run a tenth of a second longer than PostgreSQL and this process.
 */
function stop(order: GuardOrder, postgres: ChildProcess): void {
  if (postgres.pid === undefined) return;
  const send = (mode: 'fast' | 'immediate'): void => {
    spawn(order.pgCtl, ['stop', '-D', order.cluster, '-m', mode, '-W', '-s'], {
      ...order.ids,
      cwd: order.cluster,
      stdio: 'ignore',
    }).on('error', () => postgres.kill('SIGKILL'));
  };
  send('fast');
  setTimeout(() => send('immediate'), STOP_MS);
  setTimeout(() => postgres.kill('SIGKILL'), 2 * STOP_MS);
}

guard(JSON.parse(process.argv[2]!) as GuardOrder);
