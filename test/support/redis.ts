import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { findProgram } from './programs.ts';

export interface TestRedis extends AsyncDisposable {
  readonly url: string;
}

const START_LIMIT_MS = 60_000;

/**
 * Path of the redis-server on the PATH; undefined if there is none. CI installs it, so that nothing is
 * skipped there.
 */
export const redisBinary = findProgram(['redis-server']);

/** Starts a Redis on a loopback port that keeps nothing on disk. Disposing ends the process. */
export async function startRedis(
  wanted: { readonly port?: number; readonly options?: readonly string[] } = {},
): Promise<TestRedis> {
  if (redisBinary === undefined) throw new Error('there is no redis-server on the PATH');
  const folder = await mkdtemp(path.join(tmpdir(), 'waltrail-redis-'));
  const port = wanted.port ?? (await freePort());
  const server = spawn(
    redisBinary,
    [
      '--port',
      String(port),
      '--bind',
      '127.0.0.1',
      '--save',
      '',
      '--appendonly',
      'no',
      '--dir',
      folder,
      ...(wanted.options ?? []),
    ],
    { stdio: 'ignore' },
  );
  const url = `redis://127.0.0.1:${port}`;
  // A test that exceeds its time limit never disposes. The server must not outlive the run.
  const orphaned = (): void => void server.kill('SIGKILL');
  process.once('exit', orphaned);
  const stop = async (): Promise<void> => {
    process.off('exit', orphaned);
    await end(server);
    await rm(folder, { recursive: true, force: true });
  };
  try {
    await answers(url, server);
  } catch (error) {
    await stop();
    throw error;
  }
  return { url, [Symbol.asyncDispose]: stop };
}

async function answers(url: string, server: ChildProcess): Promise<void> {
  const deadline = Date.now() + START_LIMIT_MS;
  for (;;) {
    const client = new Redis(url, {
      lazyConnect: true,
      retryStrategy: () => null,
      disconnectTimeout: 50,
      enableReadyCheck: false,
    });
    let said = '';
    client.on('error', ({ message }: Error) => (said = message));
    try {
      await client.connect();
      await client.ping();
      return;
    } catch (error) {
      // A server with a password refuses this ping, but it is ready.
      if (said.startsWith('NOAUTH')) return;
      if (server.exitCode !== null || Date.now() > deadline) throw error;
      await delay(25);
    } finally {
      client.disconnect();
    }
  }
}

async function end(server: ChildProcess): Promise<void> {
  if (server.exitCode !== null || server.signalCode !== null) return;
  const exited = once(server, 'exit');
  server.kill('SIGKILL');
  await exited;
}

/** Returns a loopback port on which nothing listens. */
export async function freePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const { port } = probe.address() as AddressInfo;
  probe.close();
  await once(probe, 'close');
  return port;
}
