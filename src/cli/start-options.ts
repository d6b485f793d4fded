import path from 'node:path';
import { ROLES, type Role, type Settings } from '../settings.js';
import { usageError } from './command.js';

/** Options of `waltrail start` for `parseArgs`. */
export const START_OPTIONS = {
  roles: { type: 'string' },
  port: { type: 'string' },
  host: { type: 'string' },
  config: { type: 'string' },
  'no-traffic': { type: 'boolean' },
} as const;

export const START_USAGE = '[--roles LIST] [--port N] [--host H] [--config FILE] [--no-traffic]';

export const START_HELP = `  --roles LIST     what this process does: any of capture,api,exports (default: all)
  --port N         HTTP port, 0 for any free one (default: WALTRAIL_PORT or 8080)
  --host H         HTTP address to listen on (default: WALTRAIL_HOST or 127.0.0.1)
  --config FILE    the YAML for your database (default: WALTRAIL_CONFIG)
  --no-traffic     do not simulate people at work in the sample CRM

If WALTRAIL_SOURCE_URL, WALTRAIL_TRAIL_URL and WALTRAIL_CONFIG are set, it runs on those servers. If no URL is set, it starts
its own PostgreSQL with a sample CRM, and stores everything in WALTRAIL_DATA_DIR (default: .waltrail). Ctrl-C stops it.
`;

export interface StartOptions {
  readonly roles: readonly Role[];
  readonly traffic: boolean;
  /** Returns the settings, overridden by the options of the command line. */
  override(settings: Settings): Settings;
}

/** Checks the options of `waltrail start`. Throws CLI_USAGE, which names the option. */
export function checkStartOptions(values: {
  readonly roles?: string;
  readonly port?: string;
  readonly host?: string;
  readonly config?: string;
  readonly 'no-traffic'?: boolean;
}): StartOptions {
  const port = values.port === undefined ? undefined : parsePort(values.port);
  const { host, config } = values;
  if (host === '') throw usageError('--host is empty.');
  if (config === '') throw usageError('--config is empty.');
  return {
    roles: values.roles === undefined ? ROLES : parseRoles(values.roles),
    traffic: values['no-traffic'] !== true,
    override: (settings) => ({
      ...settings,
      host: host ?? settings.host,
      port: port ?? settings.port,
      configFile: config === undefined ? settings.configFile : path.resolve(config),
    }),
  };
}

function parsePort(text: string): number {
  if (/^\d{1,5}$/.test(text) && Number(text) <= 65_535) return Number(text);
  throw usageError('--port must be a number from 0 to 65535.');
}

function parseRoles(text: string): Role[] {
  const names = text.split(',').map((name) => name.trim());
  const unknown = names.find((name) => !(ROLES as readonly string[]).includes(name));
  if (unknown !== undefined) throw usageError(`--roles: "${unknown}" is not one of ${ROLES.join(', ')}.`);
  return ROLES.filter((role) => names.includes(role));
}
