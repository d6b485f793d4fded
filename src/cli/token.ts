import { readFile } from 'node:fs/promises';
import type pg from 'pg';
import {
  createToken,
  listTokens,
  revokeTokensNamed,
  TOKEN_ROLES,
  type TokenInfo,
  type TokenRole,
} from '../admin/auth/tokens.js';
import { runFileIn } from '../embedded/run-file.js';
import { WaltrailError } from '../errors.js';
import { createLog } from '../log.js';
import { createPool } from '../pg/connect.js';
import type { Settings } from '../settings.js';
import { migrateTrail } from '../trail/migrate.js';
import { trailError } from '../trail/trail-error.js';
import { defineCommand, type Command, usageError } from './command.js';
import { refuseFirstTrailInSource } from './trail-look.js';

const MAX_DAYS = 3650;
const DAY_MS = 86_400_000;

/** `waltrail token create --name NAME …`: creates a token and prints it, once. */
export const tokenCreate: Command = defineCommand({
  usage: '--name NAME [--role ROLE] [--tenant TENANT] [--expires DAYS] [--single-use]',
  help: `  --name NAME      the person or program that will use the token
  --role ROLE      ${TOKEN_ROLES.join(', ')} (default: viewer)
  --tenant TENANT  the only tenant that it sees (default: all)
  --expires DAYS   number of days for which it is valid (default: forever)
  --single-use     create a sign-in code: <url>/#signin=<code> opens one session of the page

Prints the token once; only its hash is stored.
`,
  options: {
    name: { type: 'string' },
    role: { type: 'string' },
    tenant: { type: 'string' },
    expires: { type: 'string' },
    'single-use': { type: 'boolean' },
  },
  json: true,
  run: async ({ values, settings, answer }) => {
    const wanted = parseWanted(values);
    // The days begin when the token is created.
    const expiresAt = wanted.days === null ? null : new Date(Date.now() + wanted.days * DAY_MS);
    const token = await withTokens(settings(), (pool) => createToken(pool, { ...wanted, expiresAt }));
    answer({ text: `${token}\n`, data: { token } });
    return 0;
  },
});

/** `waltrail token list`: lists the API tokens. */
export const tokenList: Command = defineCommand({
  usage: '',
  help: '',
  options: {},
  json: true,
  run: async ({ settings, answer }) => {
    const tokens = await withTokens(settings(), listTokens);
    answer({
      text: table(tokens),
      data: { tokens: tokens.map((token) => ({ ...token, state: stateOf(token) })) },
    });
    return 0;
  },
});

/** `waltrail token revoke NAME`. Throws TOKEN_UNKNOWN. */
export const tokenRevoke: Command = defineCommand({
  usage: 'NAME',
  help: '',
  options: {},
  arguments: { least: 1, most: 1 },
  json: true,
  run: async ({ arguments: [given], settings, answer }) => {
    const name = given!;
    const revoked = await withTokens(settings(), (pool) => revokeTokensNamed(pool, name));
    if (revoked === 0) throw new WaltrailError('TOKEN_UNKNOWN', `There is no valid token named "${name}".`);
    answer({
      text: `Revoked ${revoked} ${revoked === 1 ? 'token' : 'tokens'} named "${name}".\n`,
      data: { revoked },
    });
    return 0;
  },
});

interface WantedToken {
  readonly name: string;
  readonly role: TokenRole;
  readonly tenant: string | null;
  readonly days: number | null;
  readonly singleUse: boolean;
}

/** Checks the options before connecting: a mistake in them must be reported without a database. */
function parseWanted(values: {
  readonly name?: string;
  readonly role?: string;
  readonly tenant?: string;
  readonly expires?: string;
  readonly 'single-use'?: boolean;
}): WantedToken {
  const { name, role = 'viewer', tenant, expires } = values;
  if (name === undefined || name.trim() === '')
    throw usageError('waltrail token create needs --name: the person or program that will use the token.');
  if (!isRole(role)) throw usageError(`--role must be one of ${TOKEN_ROLES.join(', ')}.`);
  const days = expires === undefined ? null : Number(expires);
  if (days !== null && !(days > 0 && days <= MAX_DAYS))
    throw usageError(`--expires must be a number of days up to ${MAX_DAYS}.`);
  if (tenant === '') throw usageError('--tenant is empty. Leave it out for all tenants.');
  return { name: name.trim(), role, tenant: tenant ?? null, days, singleUse: values['single-use'] ?? false };
}

const isRole = (role: string): role is TokenRole => (TOKEN_ROLES as readonly string[]).includes(role);

/**
 * Runs `work` on the trail's tables, which hold the tokens. If the trail is new, the tables are created
 * first.
 */
async function withTokens<T>(settings: Settings, work: (pool: pg.Pool) => Promise<T>): Promise<T> {
  const url = await trailUrl(settings);
  if (settings.sourceUrl !== undefined)
    await refuseFirstTrailInSource({ trailUrl: url, sourceUrl: settings.sourceUrl });
  await migrateTrail({ url, log: createLog({ level: 'error' }) });
  const pool = createPool({ url, side: 'trail', purpose: 'token', max: 1 });
  try {
    return await work(pool);
  } catch (error) {
    throw trailError(error);
  } finally {
    await pool.end();
  }
}

/**
 * Returns the URL of the trail. Without WALTRAIL_TRAIL_URL the trail is the embedded one, whose URL a running
 * `waltrail start` has written to run.json.
 */
async function trailUrl(settings: Settings): Promise<string> {
  if (settings.trailUrl !== undefined) return settings.trailUrl;
  const file = runFileIn(settings.dataDir);
  try {
    const { trailUrl: url } = JSON.parse(await readFile(file, 'utf8')) as { trailUrl?: unknown };
    if (typeof url === 'string') return url;
  } catch {
    // Reported below: the file does not exist, or a running Waltrail did not write it.
  }
  throw new WaltrailError(
    'SETTINGS_INVALID',
    'WALTRAIL_TRAIL_URL is not set, and no embedded trail is running here.',
    {
      remedy:
        'Set WALTRAIL_TRAIL_URL, or run this command while "waltrail start" runs with the same WALTRAIL_DATA_DIR.',
    },
  );
}

function table(tokens: readonly TokenInfo[]): string {
  if (tokens.length === 0) return 'There are no tokens. To create one: waltrail token create --name NAME\n';
  const lines = [
    ['NAME', 'ROLE', 'TENANT', 'STATE', 'CREATED (UTC)', 'LAST USED (UTC)'],
    ...tokens.map((token) => [
      token.name,
      token.role,
      token.tenant ?? '(all)',
      stateOf(token),
      minuteOf(token.createdAt),
      token.lastUsedAt === null ? 'never' : minuteOf(token.lastUsedAt),
    ]),
  ];
  const widths = lines[0]!.map((_, column) => Math.max(...lines.map((line) => line[column]!.length)));
  const text = (line: readonly string[]): string =>
    line.map((cell, column) => cell.padEnd(widths[column]!)).join('  ');
  return lines.map((line) => `${text(line).trimEnd()}\n`).join('');
}

const minuteOf = (date: Date): string => date.toISOString().slice(0, 16);

function stateOf(token: TokenInfo): string {
  if (token.revokedAt !== null) return 'revoked';
  if (token.singleUse && token.lastUsedAt !== null) return 'used';
  if (token.expiresAt !== null && token.expiresAt.getTime() <= Date.now()) return 'expired';
  return token.singleUse ? 'sign-in code' : 'valid';
}
