import path from 'node:path';
import { parseArgs } from 'node:util';
import { WaltrailError } from '../errors.js';
import { ROLES, type Role, type Settings } from '../settings.js';

export const START_USAGE = `waltrail start: run the daemon

  --roles LIST     what this process does, of capture,api,exports (default: all)
  --port N         HTTP port, 0 for any free one (default: WALTRAIL_PORT or 8080)
  --host H         HTTP address to listen on (default: WALTRAIL_HOST or 127.0.0.1)
  --config FILE    the tracking file (default: WALTRAIL_CONFIG or config/waltrail.yaml)
  --no-traffic     do not simulate people at work in the sample CRM

With WALTRAIL_SOURCE_URL and WALTRAIL_TRAIL_URL set it runs on those servers. With neither it starts a PostgreSQL of its
own with a sample CRM, and keeps everything in WALTRAIL_DATA_DIR (default: .waltrail). Ctrl-C stops it.
`;

export interface StartOptions {
  readonly roles: readonly Role[];
  readonly traffic: boolean;
  /** The settings with what the command line says instead. */
  override(settings: Settings): Settings;
}

/** Throws CLI_USAGE, which names the option. */
export function parseStartOptions(args: readonly string[]): StartOptions | 'help' {
  const values = parse(args);
  if (values.help === true) return 'help';
  const port = values.port === undefined ? undefined : parsePort(values.port);
  const { host, config } = values;
  if (host === '') throw new WaltrailError('CLI_USAGE', '--host is empty.');
  if (config === '') throw new WaltrailError('CLI_USAGE', '--config is empty.');
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

function parse(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      options: {
        roles: { type: 'string' },
        port: { type: 'string' },
        host: { type: 'string' },
        config: { type: 'string' },
        'no-traffic': { type: 'boolean' },
        help: { type: 'boolean', short: 'h' },
      },
    }).values;
  } catch (error) {
    // "Unknown option '--prot'. To specify a positional argument …": the first sentence says it.
    const [first] = (error as Error).message.split(/\. (?=[A-Z])/);
    throw new WaltrailError('CLI_USAGE', `${first!.replace(/\.$/, '')}.`, { cause: error });
  }
}

function parsePort(text: string): number {
  if (/^\d{1,5}$/.test(text) && Number(text) <= 65_535) return Number(text);
  throw new WaltrailError('CLI_USAGE', '--port must be a number from 0 to 65535.');
}

function parseRoles(text: string): Role[] {
  const names = text.split(',').map((name) => name.trim());
  const unknown = names.find((name) => !(ROLES as readonly string[]).includes(name));
  if (unknown !== undefined) {
    throw new WaltrailError('CLI_USAGE', `--roles: "${unknown}" is not one of ${ROLES.join(', ')}.`);
  }
  return ROLES.filter((role) => names.includes(role));
}
