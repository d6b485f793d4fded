import pg from 'pg';
import { codeOf, WaltrailError } from '../errors.js';

export interface ConnectOptions {
  readonly url: string;
  /** Shown in pg_stat_activity, prefixed with `waltrail `. */
  readonly purpose: string;
  readonly statementTimeoutMs?: number;
}

const CONNECT_TIMEOUT_MS = 10_000;

/** A connected client; the caller ends it. Throws PG_UNREACHABLE or PG_REFUSED, which name host and database only. */
export async function connect(options: ConnectOptions): Promise<pg.Client> {
  const client = new pg.Client(clientConfig(options));
  // Without a listener an idle connection that breaks would end the process; the next query reports it anyway.
  client.on('error', () => undefined);
  try {
    await client.connect();
  } catch (error) {
    throw connectError(options.url, error);
  }
  return client;
}

export interface PoolOptions extends ConnectOptions {
  readonly max: number;
  /** Prepares every new connection before its first use. */
  readonly onConnect?: (client: pg.ClientBase) => Promise<unknown>;
}

/** A pool whose connections are made as by {@link connect}; the caller ends it. */
export function createPool(options: PoolOptions): pg.Pool {
  const { max, onConnect } = options;
  const pool = new pg.Pool({
    ...clientConfig(options),
    max,
    idleTimeoutMillis: 30_000,
    ...(onConnect === undefined ? {} : { onConnect }),
  });
  pool.on('error', () => undefined);
  return pool;
}

/** `host:port/database` of a URL: what an error or a log line may say of it. */
export function describeUrl(url: string): string {
  try {
    const { hostname, port, pathname } = new URL(url);
    return `${hostname}:${port || '5432'}${pathname}`;
  } catch {
    return 'the given URL';
  }
}

/** Translates a failed connection attempt: SQLSTATE classes 28 and 3D are a refusal, all else means not reachable. */
export function connectError(url: string, error: unknown): WaltrailError {
  const code = codeOf(error);
  const refused = code !== undefined && /^(28|3D|42)/.test(code);
  return new WaltrailError(
    refused ? 'PG_REFUSED' : 'PG_UNREACHABLE',
    `${describeUrl(url)} ${refused ? 'refused the connection' : 'cannot be reached'} (${code ?? 'no answer'}).`,
    { cause: error },
  );
}

function clientConfig(options: ConnectOptions): pg.ClientConfig {
  return {
    connectionString: options.url,
    application_name: `waltrail ${options.purpose}`,
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    keepAlive: true,
    ...(options.statementTimeoutMs === undefined ? {} : { statement_timeout: options.statementTimeoutMs }),
  };
}
