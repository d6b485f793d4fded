import { Redis, type RedisOptions } from 'ioredis';
import { codeOf, WaltrailError } from '../errors.js';

/** A connection to the Redis server that accepts writes of this queue, and facts about that server. */
export interface ReadyRedis {
  readonly client: Redis;
  /** `maxmemory-policy`; null: the server does not report it. */
  readonly evictionPolicy: string | null;
  readonly cluster: boolean;
}

/**
 * Returns the prefix of a queue's keys. The braces are a hash tag: in a cluster, all keys of one tag are on
 * one node. Without it, a cluster refuses the scripts of BullMQ (CROSSSLOT).
 *
 * @see https://redis.io/docs/latest/operate/oss_and_stack/reference/cluster-spec/#hash-tags
 */
export const redisPrefix = (source: string): string => `{waltrail:${source}}`;

/**
 * Largest number of redirections. A node of a cluster may name another one that has the keys. In a stable
 * cluster, that node is the right one.
 */
const MAX_REDIRECTIONS = 3;
const CONNECT_TIMEOUT_MS = 5_000;
const PROBE_MS = 10_000;
/** The script is sent as it is. */
const PROBE_SCRIPT = `redis.call('set', KEYS[1], '1', 'px', ARGV[1]) return redis.call('del', KEYS[1], KEYS[2])`;

/**
 * Connects, and tries what the queue will need: a valid password, and a server that accepts writes and
 * scripts. In a cluster, it follows to the node that has the keys. So a refusing server is met here, with a
 * few commands in each attempt, and not in the loops of BullMQ. Rejects with the error of the server or of
 * the network: see {@link redisCode}.
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
  // BullMQ refuses any other value. A lost connection is not restored automatically: queue.ts connects again,
  // at its own pace.
  maxRetriesPerRequest: null,
  retryStrategy: () => null,
  connectTimeout: CONNECT_TIMEOUT_MS,
  // The short wait for a server that has failed keeps the daemon from ending two seconds late.
  disconnectTimeout: 300,
  // The probe checks more, and the ready check of ioredis writes to the console.
  enableReadyCheck: false,
};

async function probe(client: Redis, source: string): Promise<Omit<ReadyRedis, 'client'>> {
  // Only this event reports a refused password or connection. The pending commands only fail because the
  // connection is closed.
  let reported: Error | undefined;
  client.on('error', (error: Error) => (reported ??= error));
  try {
    await client.connect();
    const info = await client.info().catch((error: unknown) => {
      // An account may lack the right to INFO. The commands that are needed follow.
      if (redisCode(error) === 'NOPERM') return '';
      throw error;
    });
    const [one, two] = ['1', '2'].map((name) => `${redisPrefix(source)}:probe:${name}`);
    // The write is tried outside of a script first. Inside a script, servers before Redis 7 report every
    // refusal as ERR.
    await client.set(one!, '1', 'PX', PROBE_MS);
    await client.eval(PROBE_SCRIPT, 2, one!, two!, PROBE_MS);
    return {
      evictionPolicy: /^maxmemory_policy:(\S+)/m.exec(info)?.[1] ?? null,
      cluster: /^cluster_enabled:1/m.test(info),
    };
  } catch (error) {
    throw reported ?? error;
  }
}

/**
 * Returns the same URL at the node that MOVED names: `MOVED <slot> <host>:<port>`. The host is empty if it is
 * the same one.
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
 * Returns a short name of what is wrong with a queue, on PostgreSQL too. It is the first word of a reply
 * (NOAUTH, READONLY …), else the code of the network or the class of the error. Never more of a message: it
 * may quote a URL, and ioredis attaches the command, including the password, to the error.
 */
export function redisCode(error: unknown): string {
  const { name, message } = error as Partial<Error>;
  if (name === 'ReplyError') return /^[A-Z][A-Z0-9_]{1,30}(?= |$)/.exec(String(message))?.[0] ?? 'ERR';
  return codeOf(error) ?? (name === undefined || name === 'Error' ? 'DISCONNECTED' : name);
}

/** Remedies for the usual errors. */
const REMEDIES: Readonly<Record<string, string>> = {
  CLUSTERDOWN: 'Repair the cluster: some of its slots have no node (redis-cli cluster info).',
  ECONNREFUSED: 'Start the server of REDIS_URL, or correct host and port there.',
  ENOTFOUND: 'Correct the host in REDIS_URL.',
  LOADING: 'Wait: the server is loading its data into memory, and accepts requests afterwards.',
  MISCONF: 'Free disk space on the Redis server: it cannot save its data, and therefore refuses writes.',
  MOVED:
    'In REDIS_URL, name a node of the cluster. All processes have to reach it at the address that it announces.',
  NOAUTH: 'Put user and password into REDIS_URL: redis://user:password@host:port.',
  NOPERM:
    'Grant the account of REDIS_URL the commands +@all -@admin -@dangerous +info on the keys ~{waltrail:*.',
  OOM: 'Give the Redis server more memory (maxmemory), or use a separate server for Waltrail.',
  READONLY: 'Name the primary in REDIS_URL: this server is a replica.',
  WRONGPASS: 'Correct user and password in REDIS_URL.',
};

/** Returns the problem as exports, status and page show it. Names neither host nor account. */
export function redisProblem(error: unknown): WaltrailError {
  const code = redisCode(error);
  return new WaltrailError(
    'EXPORT_QUEUE_UNAVAILABLE',
    `The queue of exports cannot use its Redis (${code}). Exports wait until it can.`,
    { ...(REMEDIES[code] === undefined ? {} : { remedy: REMEDIES[code] }) },
  );
}
