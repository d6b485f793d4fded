import { Redis, type RedisOptions } from 'ioredis';
import { codeOf, WaltrailError } from '../errors.js';

/** A connection to the Redis that takes writes of this queue, and what is to be known of that server. */
export interface ReadyRedis {
  readonly client: Redis;
  /** `maxmemory-policy`; null where the server does not tell. */
  readonly evictionPolicy: string | null;
  readonly cluster: boolean;
}

/**
 * Of the keys of a queue. The braces are a hash tag: in a cluster all keys of one tag are on one node,
 * without it the scripts of BullMQ are refused there (CROSSSLOT).
 *
 * @see https://redis.io/docs/latest/operate/oss_and_stack/reference/cluster-spec/#hash-tags
 */
export const redisPrefix = (source: string): string => `{waltrail:${source}}`;

/**
 * A node of a cluster may name another one that has the keys; in a cluster that is at peace that is the one.
 */
const MAX_REDIRECTIONS = 3;
const CONNECT_TIMEOUT_MS = 5_000;
const PROBE_MS = 10_000;
/** As ioredis takes it: sent as it stands. */
const PROBE_SCRIPT = `redis.call('set', KEYS[1], '1', 'px', ARGV[1]) return redis.call('del', KEYS[1], KEYS[2])`;

/**
 * Connects and tries out what the queue will need: a password that is right, a server that takes writes and
 * scripts. In a cluster it follows to the node that has the keys. So a server that refuses is met here, a few
 * commands a try, and not in the loops of BullMQ. Rejects with the error of the server or of the network: see
 * {@link redisCode}.
 */
export async function openRedis(options: {
  readonly url: string;
  readonly source: string;
  readonly signal: AbortSignal;
}): Promise<ReadyRedis> {
  const { source, signal } = options;
  let { url } = options;
  for (let redirections = 0; ; redirections++) {
    const client = new Redis(url, CLIENT_OPTIONS);
    const abandon = (): void => client.disconnect();
    signal.addEventListener('abort', abandon, { once: true });
    try {
      signal.throwIfAborted();
      return { client, ...(await probe(client, source)) };
    } catch (error) {
      client.disconnect();
      const elsewhere = movedTo(error, url);
      if (elsewhere === undefined || redirections === MAX_REDIRECTIONS) throw error;
      url = elsewhere;
    } finally {
      signal.removeEventListener('abort', abandon);
    }
  }
}

const CLIENT_OPTIONS: RedisOptions = {
  lazyConnect: true,
  // BullMQ refuses any other value. A connection that is lost is not made again by itself: queue.ts begins
  // anew, at its own pace.
  maxRetriesPerRequest: null,
  retryStrategy: () => null,
  connectTimeout: CONNECT_TIMEOUT_MS,
  // The short wait for a server that is gone keeps the daemon from ending two seconds late.
  disconnectTimeout: 300,
  // The probe finds out more, and this one writes to the console.
  enableReadyCheck: false,
};

async function probe(client: Redis, source: string): Promise<Omit<ReadyRedis, 'client'>> {
  // A refused password or connection is said here only; what waits for it learns that the connection is
  // closed.
  let said: Error | undefined;
  client.on('error', (error: Error) => (said ??= error));
  try {
    await client.connect();
    const info = await client.info().catch((error: unknown) => {
      // Not every account may ask. What matters follows.
      if (redisCode(error) === 'NOPERM') return '';
      throw error;
    });
    const [one, two] = ['1', '2'].map((name) => `${redisPrefix(source)}:probe:${name}`);
    // Outside of a script first: from inside one, servers before Redis 7 call every refusal ERR.
    await client.set(one!, '1', 'PX', PROBE_MS);
    await client.eval(PROBE_SCRIPT, 2, one!, two!, PROBE_MS);
    return {
      evictionPolicy: /^maxmemory_policy:(\S+)/m.exec(info)?.[1] ?? null,
      cluster: /^cluster_enabled:1/m.test(info),
    };
  } catch (error) {
    throw said ?? error;
  }
}

/**
 * The same URL at the node that MOVED names: `MOVED <slot> <host>:<port>`, without a host where it is the
 * same one.
 */
function movedTo(error: unknown, from: string): string | undefined {
  const [, host, port] = /^MOVED \d+ (.*):(\d+)$/.exec((error as Error).message) ?? [];
  if (host === undefined || port === undefined) return undefined;
  const url = new URL(from);
  if (host !== '') url.hostname = host.includes(':') ? `[${host}]` : host;
  url.port = port;
  return url.href;
}

/**
 * Short name of what is wrong with a queue, on PostgreSQL too: the first word of a reply (NOAUTH, READONLY
 * …), else the code of the network or the class of the error. Never more of a message: it may quote a URL,
 * and ioredis hangs the command, password included, on the error.
 */
export function redisCode(error: unknown): string {
  const { name, message } = error as Partial<Error>;
  if (name === 'ReplyError') return /^[A-Z][A-Z0-9_]{1,30}(?= |$)/.exec(String(message))?.[0] ?? 'ERR';
  return codeOf(error) ?? (name === undefined || name === 'Error' ? 'DISCONNECTED' : name);
}

/** What can be done about the usual answers. */
const REMEDIES: Readonly<Record<string, string>> = {
  CLUSTERDOWN: 'Bring the cluster back: some of its slots have no node (redis-cli cluster info).',
  ECONNREFUSED: 'Start the server of REDIS_URL, or correct host and port there.',
  ENOTFOUND: 'Correct the host in REDIS_URL.',
  LOADING: 'Nothing: the server reads its data into memory and will take part then.',
  MISCONF: 'Free the disk of the Redis server: it cannot save and therefore takes no writes.',
  MOVED:
    'Name a node of the cluster in REDIS_URL that all processes can reach under the address it announces.',
  NOAUTH: 'Put user and password into REDIS_URL: redis://user:password@host:port.',
  NOPERM:
    'Grant the account of REDIS_URL the commands +@all -@admin -@dangerous +info on the keys ~{waltrail:*.',
  OOM: 'Give the Redis server more memory (maxmemory), or one of its own to Waltrail.',
  READONLY: 'Name the primary in REDIS_URL: this server is a replica.',
  WRONGPASS: 'Correct user and password in REDIS_URL.',
};

/** The problem as exports, status and page show it. Names neither host nor account. */
export function redisProblem(error: unknown): WaltrailError {
  const code = redisCode(error);
  return new WaltrailError(
    'EXPORT_QUEUE_UNAVAILABLE',
    `The queue of exports cannot use its Redis (${code}). Exports wait until it can.`,
    { ...(REMEDIES[code] === undefined ? {} : { remedy: REMEDIES[code] }) },
  );
}
