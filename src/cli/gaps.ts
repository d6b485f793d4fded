import { ERROR_CODES, WaltrailError } from '../errors.js';
import { close, connect } from '../pg/connect.js';
import type { Settings } from '../settings.js';
import { loadConfig } from '../tracking/load.js';
import { listGaps, type Gap } from '../trail/read/gap-list.js';
import { acceptGaps } from '../trail/write/gaps.js';
import { trailError } from '../trail/trail-error.js';

const USAGE = `waltrail gaps: what the trail may lack, newest first

Usage: waltrail gaps [--accept]

  --accept   let capture go on after open gaps of the whole stream, and acknowledge those of named tables, which
             end by themselves when the table is captured again or gone; all of them stay in the trail for good
`;
const MAX_LISTED = 100;

/**
 * `waltrail gaps [--accept]`. Resolves with the exit code: 1 while a gap is open and not accepted.
 * Throws CLI_USAGE, PG_UNREACHABLE, PG_REFUSED and what loading the YAML throws.
 */
export async function gapsCommand(options: {
  readonly settings: () => Settings;
  readonly args: readonly string[];
  readonly write: (text: string) => void;
}): Promise<number> {
  const { args, write } = options;
  if (args[0] === '--help' || args[0] === '-h') {
    write(USAGE);
    return 0;
  }
  const unknown = args.find((argument) => argument !== '--accept');
  if (unknown !== undefined)
    throw new WaltrailError('CLI_USAGE', `waltrail gaps does not know "${unknown}".`);
  const { configFile, environment } = options.settings();
  const config = await loadConfig({ file: configFile, environment });
  const client = await connect({ url: config.trail.url, purpose: 'gaps' });
  try {
    const accepted = args.includes('--accept') ? await acceptGaps(client) : 0;
    const gaps = await listGaps(client, { limit: MAX_LISTED });
    for (const gap of gaps) write(gapText(gap));
    if (gaps.length === 0) write('The trail has no gap.\n');
    if (accepted > 0)
      write(`Accepted: ${accepted} ${accepted === 1 ? 'gap' : 'gaps'}.${afterAccepting(gaps)}\n`);
    return gaps.some(({ closedAt, acceptedAt }) => closedAt === null && acceptedAt === null) ? 1 : 0;
  } catch (error) {
    throw trailError(error);
  } finally {
    await close(client);
  }
}

const afterAccepting = (gaps: readonly Gap[]): string =>
  gaps.some(({ scope, closedAt }) => scope === 'stream' && closedAt === null)
    ? ' Capture goes on within seconds.'
    : ' Each ends when its table is captured again or gone.';

/** A gap of named tables stops nothing, so nothing has to be let go on. */
const TABLES_REMEDY =
  'Run waltrail apply, or the SQL of waltrail plan, on the source. The gap ends by itself when the table is captured whole again, or gone.';

function gapText(gap: Gap): string {
  const state = gap.closedAt !== null ? 'closed' : gap.acceptedAt !== null ? 'accepted' : 'open';
  const ended = gap.scope === 'stream' ? 'capture went on' : 'ended';
  return `${gap.id}  ${state}  ${gap.code}  ${gap.tables?.join(', ') ?? 'all tracked tables'}
    changes committed from ${gap.fromLsn} ${gap.toLsn === null ? 'on' : `to ${gap.toLsn}`}; last entry before: ${gap.lastEntryAt ?? 'none'}
    found ${gap.foundAt}${gap.closedAt === null ? '' : `, ${ended} ${gap.closedAt}`}
    ${state === 'open' ? (gap.scope === 'tables' ? TABLES_REMEDY : ERROR_CODES[gap.code].remedy) : ''}
`.replace(/\n {4}\n$/, '\n');
}
