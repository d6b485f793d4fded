import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { parseArgs } from 'node:util';
import type pg from 'pg';
import { WaltrailError } from '../errors.js';
import { createLog } from '../log.js';
import { createPool } from '../pg/connect.js';
import type { Settings } from '../settings.js';
import { migrateTrail } from '../trail/migrate.js';
import {
  createToken,
  listTokens,
  revokeTokensNamed,
  TOKEN_ROLES,
  type TokenInfo,
  type TokenRole,
} from '../admin/auth/tokens.js';

const USAGE = `waltrail token: API tokens of the trail

  waltrail token create --name NAME [--role viewer|exporter|admin] [--tenant TENANT] [--expires DAYS] [--single-use]
      Prints the token once; only its hash is kept. Default: viewer, every tenant, no end.
      --single-use makes a sign-in code: it opens one session of the page, as <url>/#signin=<code>.
  waltrail token list
  waltrail token revoke NAME
      Revokes every token of that name and ends its sessions, within seconds.
`;

const MAX_DAYS = 3650;
const DAY_MS = 86_400_000;

/**
 * `waltrail token …`; `args` are those after the word "token", `write` takes text for standard output.
 * Throws TOKEN_ARGUMENTS_INVALID and what a connection throws.
 */
export async function tokenCommand(options: {
  readonly settings: Settings;
  readonly args: readonly string[];
  readonly write: (text: string) => void;
}): Promise<void> {
  const { write } = options;
  const [command, ...args] = options.args;
  if (command === undefined || command === '--help' || command === 'help') return write(USAGE);
  // Arguments first: a mistyped one must not wait for a database.
  const run = parseCommand(command, args);
  const url = await trailUrl(options.settings);
  // Tokens live in the trail's tables; before the first start there are none yet.
  await migrateTrail({ url, log: createLog({ level: 'error' }) });
  const pool = createPool({ url, purpose: 'token', max: 1 });
  try {
    write(await run(pool));
  } finally {
    await pool.end();
  }
}

type Run = (pool: pg.Pool) => Promise<string>;

function parseCommand(command: string, args: string[]): Run {
  switch (command) {
    case 'create':
      return parseCreate(args);
    case 'list':
      if (args.length > 0) throw invalid('"token list" takes no arguments.');
      return async (pool) => table(await listTokens(pool));
    case 'revoke': {
      const [name] = args;
      if (name === undefined || args.length > 1 || name.startsWith('-'))
        throw invalid('"token revoke" takes the name of a token.');
      return async (pool) => revoked(name, await revokeTokensNamed(pool, name));
    }
    default:
      throw invalid(`"token ${command}" is not a command.`);
  }
}

function parseCreate(args: string[]): Run {
  const values = parseOptions(args);
  const { name, role = 'viewer', tenant, expires } = values;
  if (name === undefined || name.trim() === '')
    throw invalid('"token create" needs --name: whose token it is.');
  if (!isRole(role)) throw invalid(`--role must be one of ${TOKEN_ROLES.join(', ')}.`);
  const days = expires === undefined ? undefined : Number(expires);
  if (days !== undefined && !(days > 0 && days <= MAX_DAYS))
    throw invalid(`--expires must be a number of days up to ${MAX_DAYS}.`);
  if (tenant === '') throw invalid('--tenant is empty; leave it out for every tenant.');
  return async (pool) => {
    const secret = await createToken(pool, {
      name: name.trim(),
      role,
      tenant: tenant ?? null,
      expiresAt: days === undefined ? null : new Date(Date.now() + days * DAY_MS),
      singleUse: values['single-use'] ?? false,
    });
    return `${secret}\n`;
  };
}

function parseOptions(args: string[]) {
  try {
    return parseArgs({
      args,
      options: {
        name: { type: 'string' },
        role: { type: 'string' },
        tenant: { type: 'string' },
        expires: { type: 'string' },
        'single-use': { type: 'boolean' },
      },
    }).values;
  } catch (error) {
    throw invalid(`token create: ${(error as Error).message}`);
  }
}

/** Without WALTRAIL_TRAIL_URL the trail is the embedded one, whose URL a running `waltrail start` has written down. */
async function trailUrl(settings: Settings): Promise<string> {
  if (settings.trailUrl !== undefined) return settings.trailUrl;
  const file = path.join(settings.dataDir, 'run.json');
  try {
    const { trailUrl: url } = JSON.parse(await readFile(file, 'utf8')) as { trailUrl?: unknown };
    if (typeof url === 'string') return url;
  } catch {
    // Said below: no file, or not one that a running Waltrail wrote.
  }
  throw new WaltrailError(
    'SETTINGS_INVALID',
    'WALTRAIL_TRAIL_URL is not set, and no embedded trail is running here.',
    {
      remedy:
        'Set WALTRAIL_TRAIL_URL, or run this beside a running "waltrail start" with the same WALTRAIL_DATA_DIR.',
    },
  );
}

function table(tokens: readonly TokenInfo[]): string {
  if (tokens.length === 0) return 'There is no token. Make one: waltrail token create --name NAME\n';
  const rows = tokens.map((token) => [
    token.name,
    token.role,
    token.tenant ?? '(all)',
    stateOf(token),
    token.createdAt.toISOString().slice(0, 16),
    token.lastUsedAt?.toISOString().slice(0, 16) ?? 'never',
  ]);
  const lines = [['NAME', 'ROLE', 'TENANT', 'STATE', 'CREATED (UTC)', 'LAST USED (UTC)'], ...rows];
  const widths = lines[0]!.map((_, column) => Math.max(...lines.map((line) => line[column]!.length)));
  return lines
    .map(
      (line) =>
        `${line
          .map((cell, column) => cell.padEnd(widths[column]!))
          .join('  ')
          .trimEnd()}\n`,
    )
    .join('');
}

function stateOf(token: TokenInfo): string {
  if (token.revokedAt !== null) return 'revoked';
  if (token.singleUse && token.lastUsedAt !== null) return 'used';
  if (token.expiresAt !== null && token.expiresAt.getTime() <= Date.now()) return 'expired';
  return token.singleUse ? 'sign-in code' : 'valid';
}

function revoked(name: string, count: number): string {
  if (count === 0) throw invalid(`There is no valid token named "${name}". See: waltrail token list`);
  return `Revoked ${count} ${count === 1 ? 'token' : 'tokens'} named "${name}".\n`;
}

const isRole = (role: string): role is TokenRole => (TOKEN_ROLES as readonly string[]).includes(role);
const invalid = (message: string): WaltrailError => new WaltrailError('TOKEN_ARGUMENTS_INVALID', message);
