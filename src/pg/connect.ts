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
  /** For errors; absent where it is neither. */
  readonly side?: Side | undefined;
  /** Limit for each statement; without it there is none. */
  readonly statementTimeoutMs?: number;
  /** Destroys the connection when it fires, whatever it is waiting for. */
  readonly signal?: AbortSignal | undefined;
}

const CONNECT_TIMEOUT_MS = 10_000;
const END_TIMEOUT_MS = 1_000;

/**
 * A connected client whose search_path and limits are pinned (pin.ts); the caller ends it. Throws
 * PG_UNREACHABLE, PG_REFUSED, PG_TLS, PG_POOLER and PG_UNPINNED, which name no credential.
 */
export async function connect(options: ConnectOptions): Promise<pg.Client> {
  return openPinned(clientConfig(options), options);
}

/** {@link connect} with a configuration of one's own, as replication needs. */
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
    // Reads the certificates that the URL names.
    client = new Client(config);
    // Without a listener an idle connection that breaks would end the process; the next query reports it
    // anyway.
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

/** Makes `signal` destroy the client's connection; throws when it has fired already. */
function destroyOnAbort(client: pg.Client, signal: AbortSignal | undefined): void {
  if (signal === undefined) return;
  signal.throwIfAborted();
  const abandon = (): void => destroy(client);
  signal.addEventListener('abort', abandon, { once: true });
  client.once('end', () => signal.removeEventListener('abort', abandon));
}

/** Drops the connection at once: the server rolls back, and what waits on the client fails. */
export function destroy(client: pg.Client): void {
  (client as unknown as { connection: { stream: Socket } }).connection.stream.destroy();
}

/** Ends a connection politely, or at once when the server takes no part in that. Never rejects. */
export async function close(client: pg.Client): Promise<void> {
  const limit = setTimeout(() => destroy(client), END_TIMEOUT_MS);
  await client.end().catch(() => undefined);
  clearTimeout(limit);
}

/** Connects for as long as `work` lasts. Throws what {@link connect} and `work` throw. */
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
  /** Another path than the usual one; see {@link pinSearchPath}. */
  readonly searchPath?: string;
  /** Prepares every new connection before its first use, after its search_path is pinned. */
  readonly onConnect?: (client: pg.ClientBase) => Promise<unknown>;
}

/**
 * A pool whose connections are made as by {@link connect}, whose errors it throws; the caller ends it.
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
    // pg-pool waits for it; its type does not say so.
    // eslint-disable-next-line @typescript-eslint/no-misused-promises
    onConnect: async (client) => {
      // The pool listens to idle ones; one that breaks while somebody holds it would end the process.
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
