import { isIP } from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { z } from 'zod';
import { WaltrailError } from './errors.js';

/** The roles of a process. By default it has all of them. */
export const ROLES = ['capture', 'api', 'exports'] as const;
export type Role = (typeof ROLES)[number];

export interface Settings {
  /** The tracked database. If it and `trailUrl` are undefined, the embedded PostgreSQL is started. */
  readonly sourceUrl: string | undefined;
  readonly trailUrl: string | undefined;
  /** The Redis server of the queue. Undefined: BullMQ runs on the trail's PostgreSQL. */
  readonly redisUrl: string | undefined;
  readonly host: string;
  readonly port: number;
  /**
   * The origin at which browsers open the page, such as `https://audit.example.com`. Undefined: the origin of
   * `host`.
   */
  readonly publicUrl: string | undefined;
  /** Addresses and networks of proxies. Only their X-Forwarded headers are used. */
  readonly trustedProxies: readonly string[];
  /** Minutes without use after which a session of the page ends. */
  readonly sessionIdleMinutes: number;
  /** Absolute path of the YAML. Undefined: the YAML of the sample, which only the sample uses. */
  readonly configFile: string | undefined;
  /** Absolute path of the folder for embedded clusters, run.json and, by default, exports. */
  readonly dataDir: string;
  readonly exportDir: string;
  /** Absolute path of the folder where transactions in progress are spooled. */
  readonly spoolDir: string;
  readonly logLevel: string;
  /** Whether npm runs this process, through a shell. */
  readonly isNpmScript: boolean;
  /** The environment, for `${NAME}` in the YAML. No other code may read it. */
  readonly environment: Readonly<Record<string, string | undefined>>;
}

const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const;
const IDLE = 'must be a number of minutes from 1 to 720';
const PORT = 'must be a port number from 0 to 65535';

const empty = (value: unknown): unknown => (value === '' ? undefined : value);
const postgresUrl = z.preprocess(
  empty,
  z
    .string()
    .regex(/^postgres(ql)?:\/\//, 'must be a postgres:// URL')
    .optional(),
);

const Environment = z.object({
  WALTRAIL_SOURCE_URL: postgresUrl,
  WALTRAIL_TRAIL_URL: postgresUrl,
  REDIS_URL: z.preprocess(
    empty,
    z
      .string()
      .regex(/^rediss?:\/\//, 'must be a redis:// URL')
      .optional(),
  ),
  WALTRAIL_HOST: z.preprocess(empty, z.string().default('127.0.0.1')),
  WALTRAIL_PORT: z.preprocess(
    empty,
    z.coerce.number(PORT).int(PORT).min(0, PORT).max(65535, PORT).default(8080),
  ),
  WALTRAIL_PUBLIC_URL: z.preprocess(
    empty,
    z
      .string()
      .refine(isOrigin, 'must be a URL without a path, such as https://audit.example.com')
      .transform((url) => new URL(url).origin)
      .optional(),
  ),
  WALTRAIL_TRUSTED_PROXIES: z.preprocess(
    empty,
    z
      .string()
      .default('')
      .transform((list) => list.split(',').map((item) => item.trim()))
      .transform((items) => items.filter((item) => item !== ''))
      .refine(
        (items) => items.every(isNetwork),
        'must be addresses or networks, separated by commas, such as 10.0.0.0/8,::1',
      ),
  ),
  WALTRAIL_SESSION_IDLE_MINUTES: z.preprocess(
    empty,
    z.coerce.number(IDLE).int(IDLE).min(1, IDLE).max(720, IDLE).default(480),
  ),
  WALTRAIL_CONFIG: z.preprocess(empty, z.string().optional()),
  WALTRAIL_DATA_DIR: z.preprocess(empty, z.string().default('.waltrail')),
  WALTRAIL_EXPORT_DIR: z.preprocess(empty, z.string().optional()),
  WALTRAIL_SPOOL_DIR: z.preprocess(empty, z.string().default(os.tmpdir())),
  WALTRAIL_LOG_LEVEL: z.preprocess(
    empty,
    z.enum(LOG_LEVELS, `must be one of ${LOG_LEVELS.join(', ')}`).optional(),
  ),
  npm_lifecycle_event: z.string().optional(),
});

/** Options of {@link readSettings}. */
export interface SettingsOptions {
  /** Whether the URL of the source may be set without that of the trail. */
  readonly sourceAlone?: boolean;
}

/**
 * Reads the settings of this process from its environment. Throws SETTINGS_INVALID, which names every wrong
 * variable but not its value, because a URL contains a password.
 */
export function readSettings(
  environment: Readonly<Record<string, string | undefined>> = process.env,
  { sourceAlone = false }: SettingsOptions = {},
): Settings {
  const parsed = Environment.safeParse(environment);
  if (!parsed.success) {
    const faults = parsed.error.issues.map((issue) => `${issue.path.join('.')} ${issue.message}.`);
    throw new WaltrailError('SETTINGS_INVALID', [...new Set(faults)].join(' '));
  }
  const env = parsed.data;
  if (!sourceAlone && (env.WALTRAIL_SOURCE_URL === undefined) !== (env.WALTRAIL_TRAIL_URL === undefined)) {
    const missing = env.WALTRAIL_SOURCE_URL === undefined ? 'WALTRAIL_SOURCE_URL' : 'WALTRAIL_TRAIL_URL';
    throw new WaltrailError('SETTINGS_INVALID', `${missing} is not set, but the other of the two URLs is.`, {
      remedy:
        'Set both WALTRAIL_SOURCE_URL and WALTRAIL_TRAIL_URL. To use the embedded PostgreSQL, set neither.',
    });
  }
  const dataDir = path.resolve(env.WALTRAIL_DATA_DIR);
  return {
    sourceUrl: env.WALTRAIL_SOURCE_URL,
    trailUrl: env.WALTRAIL_TRAIL_URL,
    redisUrl: env.REDIS_URL,
    host: env.WALTRAIL_HOST,
    port: env.WALTRAIL_PORT,
    publicUrl: env.WALTRAIL_PUBLIC_URL,
    trustedProxies: env.WALTRAIL_TRUSTED_PROXIES,
    sessionIdleMinutes: env.WALTRAIL_SESSION_IDLE_MINUTES,
    configFile: env.WALTRAIL_CONFIG === undefined ? undefined : path.resolve(env.WALTRAIL_CONFIG),
    dataDir,
    exportDir:
      env.WALTRAIL_EXPORT_DIR === undefined
        ? path.join(dataDir, 'exports')
        : path.resolve(env.WALTRAIL_EXPORT_DIR),
    spoolDir: path.resolve(env.WALTRAIL_SPOOL_DIR),
    // The sample runs on a terminal, so its log shows only errors that a person must see.
    logLevel: env.WALTRAIL_LOG_LEVEL ?? (env.WALTRAIL_SOURCE_URL === undefined ? 'error' : 'info'),
    isNpmScript: env.npm_lifecycle_event !== undefined,
    environment,
  };
}

function isOrigin(text: string): boolean {
  if (!URL.canParse(text)) return false;
  const { protocol, pathname, search, hash, username, password } = new URL(text);
  return /^https?:$/.test(protocol) && pathname === '/' && search + hash + username + password === '';
}

function isNetwork(text: string): boolean {
  const [address = '', bits, ...rest] = text.split('/');
  const family = isIP(address);
  if (family === 0 || rest.length > 0) return false;
  return bits === undefined || (/^\d{1,3}$/.test(bits) && Number(bits) <= (family === 4 ? 32 : 128));
}
