import type { Socket } from 'node:net';
import type pg from 'pg';
import { isWaltrailError } from '../errors.js';
import { Client } from './client.js';
import { connectError, describeUrl, type Address, type Side } from './connect-error.js';
import { AddressedPool } from './pool.js';
import { pinLimits, pinSearchPath } from './pin.js';

export interface ConnectOptions {
  readonly url: string;
  /** Shown in pg_stat_activity, prefixed with `waltrail `. */
  readonly purpose: string;
  /** Which database it is, for errors. Absent if it is neither the source nor the trail. */
  readonly side?: Side | undefined;
  /** Time limit for each statement. By default there is none. */
  readonly statementTimeoutMs?: number;
  /** Destroys the connection when it fires, whatever it is waiting for. */
  readonly signal?: AbortSignal | undefined;
}

const CONNECT_TIMEOUT_MS = 10_000;
const END_TIMEOUT_MS = 1_000;

/**
 * Returns a connected client with pinned search_path and limits (pin.ts). The caller ends it. Throws
 * PG_UNREACHABLE, PG_REFUSED, PG_TLS, PG_POOLER and PG_UNPINNED. These errors name no credential.
 */
export async function connect(options: ConnectOptions): Promise<pg.Client> {
  return openPinned(clientConfig(options), options);
}

/** Connects as {@link connect} does, with a given configuration. Replication needs one. */
export async function openPinned(
  config: pg.ClientConfig,
  options: Address & {
    readonly statementTimeoutMs?: number | undefined;
    readonly signal?: AbortSignal | undefined;
  },
): Promise<pg.Client> {
  const { url, signal } = options;
  let client: pg.Client | undefined;
  try {
    // The constructor reads the certificates that the URL names, so it can throw.
    client = new Client(config);
    // Without a listener, an idle connection that breaks would end the process. The next query reports the
    // failure anyway.
    client.on('error', () => undefined);
    destroyOnAbort(client, signal);
    await client.connect();
    await pinSearchPath(client, { database: describeUrl(url) });
    await pinLimits(client, options);
    return client;
  } catch (error) {
    if (client !== undefined) destroy(client);
    throw isWaltrailError(error) ? error : connectError(options, error);
  }
}

/** Makes `signal` destroy the client's connection. Throws if the signal has already fired. */
function destroyOnAbort(client: pg.Client, signal: AbortSignal | undefined): void {
  if (signal === undefined) return;
  signal.throwIfAborted();
  const abandon = (): void => destroy(client);
  signal.addEventListener('abort', abandon, { once: true });
  client.once('end', () => signal.removeEventListener('abort', abandon));
}

/** Closes the connection at once. The server rolls back, and everything that waits for the client fails. */
export function destroy(client: pg.Client): void {
  (client as unknown as { connection: { stream: Socket } }).connection.stream.destroy();
}

/**
 * Ends a connection with a Terminate message, or closes it if the server does not react within a second.
 * Never rejects.
 */
export async function close(client: pg.Client): Promise<void> {
  const limit = setTimeout(() => destroy(client), END_TIMEOUT_MS);
  await client.end().catch(() => undefined);
  clearTimeout(limit);
}

/** Connects, runs `work` and closes the connection. Throws what {@link connect} and `work` throw. */
export async function withClient<T>(
  options: ConnectOptions,
  work: (client: pg.Client) => Promise<T>,
): Promise<T> {
  const client = await connect(options);
  try {
    return await work(client);
  } finally {
    await close(client);
  }
}

export interface PoolOptions extends ConnectOptions {
  readonly max: number;
  /** A search_path that replaces the default one. See {@link pinSearchPath}. */
  readonly searchPath?: string;
  /** Prepares every new connection before its first use, after its search_path is pinned. */
  readonly onConnect?: (client: pg.ClientBase) => Promise<unknown>;
}

/**
 * Creates a pool of connections that are set up as by {@link connect}. It throws the same errors. The caller
 * ends it.
 */
export function createPool(options: PoolOptions): pg.Pool {
  const { max, searchPath, onConnect } = options;
  const pin = {
    database: describeUrl(options.url),
    ...(searchPath === undefined ? {} : { path: searchPath }),
  };
  const pool = new AddressedPool(options, {
    ...clientConfig(options),
    Client,
    max,
    idleTimeoutMillis: 30_000,
    // pg-pool waits for this promise, although its type does not declare it.
    // eslint-disable-next-line @typescript-eslint/no-misused-promises
    onConnect: async (client) => {
      // The pool listens only to idle connections. Without this listener, one that breaks while in use would
      // end the process.
      client.on('error', () => undefined);
      await pinSearchPath(client, pin);
      await pinLimits(client, options);
      await onConnect?.(client);
    },
  });
  pool.on('error', () => undefined);
  return pool;
}

function clientConfig(options: ConnectOptions): pg.ClientConfig {
  return {
    connectionString: options.url,
    application_name: `waltrail ${options.purpose}`,
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    keepAlive: true,
  };
}
