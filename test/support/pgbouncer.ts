import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { findProgram } from './programs.ts';
import { freePort } from './redis.ts';
import { until } from './until.ts';

/** Path of PgBouncer; undefined where it is not installed. */
export const PGBOUNCER = findProgram(['pgbouncer']);

export interface Pooler extends AsyncDisposable {
  /** `url` with the address of the pooler. */
  through(url: string): string;
}

/** Starts a PgBouncer in front of the server of a URL. It lets the URL's user in without a password. */
export async function startPgbouncer(url: string, mode: 'session' | 'transaction'): Promise<Pooler> {
  const { hostname, port, username, password } = new URL(url);
  const folder = await mkdtemp(path.join(os.tmpdir(), 'waltrail-pgbouncer-'));
  await chmod(folder, 0o755);
  const listen = await freePort();
  const users = path.join(folder, 'users.txt');
  await writeFile(users, `"${decodeURIComponent(username)}" "${decodeURIComponent(password)}"\n`);
  const file = path.join(folder, 'pgbouncer.ini');
  await writeFile(
    file,
    `[databases]
* = host=${hostname} port=${port}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = ${listen}
unix_socket_dir =
auth_type = trust
auth_file = ${users}
pool_mode = ${mode}
default_pool_size = 40
max_client_conn = 200
`,
  );
  // PgBouncer does not run as root.
  const user = process.getuid?.() === 0 ? ['-u', 'nobody'] : [];
  const child = spawn(PGBOUNCER!, ['-q', ...user, file], { stdio: ['ignore', 'ignore', 'pipe'] });
  let said = '';
  child.stderr.on('data', (chunk: Buffer) => (said += chunk.toString()));
  const ended = once(child, 'exit');
  const listens = async (): Promise<boolean> => {
    if (child.exitCode !== null) throw new Error(`pgbouncer ended: ${said}`);
    const socket = connect(listen, '127.0.0.1');
    try {
      await once(socket, 'connect');
      return true;
    } catch {
      return false;
    } finally {
      socket.destroy();
    }
  };
  await until('pgbouncer to listen', listens);
  return {
    through: (from) => Object.assign(new URL(from), { hostname: '127.0.0.1', port: String(listen) }).href,
    [Symbol.asyncDispose]: async () => {
      child.kill('SIGTERM');
      await ended;
      await rm(folder, { recursive: true, force: true });
    },
  };
}
