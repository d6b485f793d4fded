import os from 'node:os';
import { parseArgs } from 'node:util';
import { WaltrailError } from '../errors.js';
import { close, connect } from '../pg/connect.js';
import { formatLsn, parseLsn, type Lsn } from '../pg/lsn.js';
import type { Settings } from '../settings.js';
import { loadConfig } from '../tracking/load.js';
import { askSkip, readStuck, type SkipAnswer, type Stuck } from '../trail/write/stuck.js';
import { trailError } from '../trail/trail-error.js';

const USAGE = `waltrail skip: let capture pass over the one transaction that it cannot store

Usage: waltrail skip --at LSN --reason TEXT

  --at LSN       the commit LSN that the error names
  --reason TEXT  why; it stays in the trail for good, with your account

The changes of that transaction will not be in the trail, and names that it changes are read again as they are now. It is
the last resort for an error that repeats at one place, after its remedy. Without options it says what capture waits on.
`;
const MAX_REASON = 500;

/**
 * `waltrail skip --at LSN --reason TEXT`. Resolves with the exit code; without options it only tells what capture waits on,
 * and gives 1 where it waits.
 * Throws CLI_USAGE, SKIP_…, PG_UNREACHABLE, PG_REFUSED and what loading the YAML throws.
 */
export async function skipCommand(options: {
  readonly settings: () => Settings;
  readonly args: readonly string[];
  readonly write: (text: string) => void;
}): Promise<number> {
  const { args, write } = options;
  if (args[0] === '--help' || args[0] === '-h') {
    write(USAGE);
    return 0;
  }
  const wish = parseWish(args);
  const { configFile, environment } = options.settings();
  const config = await loadConfig({ file: configFile, environment });
  const client = await connect({ url: config.trail.url, purpose: 'skip' });
  try {
    if (wish === null) return tell(await readStuck(client), write);
    const answer = await askSkip(client, { ...wish, account: accountName() });
    if (answer !== 'asked') throw refusal(answer, { wish, stuck: await readStuck(client) });
    write(
      `Asked: at its next try, within seconds, capture passes over the transaction that commits at ${formatLsn(wish.atLsn)}.\n`,
    );
    return 0;
  } catch (error) {
    throw trailError(error);
  } finally {
    await close(client);
  }
}

interface Wish {
  readonly atLsn: Lsn;
  readonly reason: string;
}

/** Null without options. */
function parseWish(args: readonly string[]): Wish | null {
  if (args.length === 0) return null;
  let values: { at?: string | undefined; reason?: string | undefined };
  try {
    ({ values } = parseArgs({
      args: [...args],
      options: { at: { type: 'string' }, reason: { type: 'string' } },
      strict: true,
      allowPositionals: false,
    }));
  } catch (error) {
    throw new WaltrailError('CLI_USAGE', `waltrail skip: ${(error as Error).message}`);
  }
  const reason = values.reason?.trim() ?? '';
  if (values.at === undefined || reason === '')
    throw new WaltrailError('CLI_USAGE', 'waltrail skip needs both --at LSN and --reason TEXT.');
  if (reason.length > MAX_REASON || /\p{Cc}/u.test(reason))
    throw new WaltrailError('CLI_USAGE', `--reason must be one line of at most ${MAX_REASON} characters.`);
  try {
    return { atLsn: parseLsn(values.at), reason };
  } catch {
    throw new WaltrailError('CLI_USAGE', '--at must be an LSN, as 16/B374D848.');
  }
}

function tell(stuck: Stuck | undefined, write: (text: string) => void): number {
  if (stuck === undefined) {
    write('Capture waits on no error that repeats at one place.\n');
    return 0;
  }
  write(`${stuck.code}: ${stuck.message}\n`);
  write(
    stuck.commitLsn === null
      ? 'It is not known which transaction that is, so it cannot be skipped alone.\n'
      : `To pass over it: waltrail skip --at ${formatLsn(stuck.commitLsn)} --reason "…"\n`,
  );
  return 1;
}

function refusal(
  answer: Exclude<SkipAnswer, 'asked'>,
  { wish, stuck }: { readonly wish: Wish; readonly stuck: Stuck | undefined },
): WaltrailError {
  const at = formatLsn(wish.atLsn);
  switch (answer) {
    case 'asked before':
      return new WaltrailError(
        'SKIP_ALREADY_ASKED',
        `Skipping the transaction at ${at} was asked for before.`,
      );
    case 'another place':
      return new WaltrailError(
        'SKIP_OTHER_LSN',
        `Capture does not wait on a transaction that commits at ${at}, but at ${stuck?.commitLsn == null ? 'another place' : formatLsn(stuck.commitLsn)}.`,
      );
    case 'place unknown':
      return new WaltrailError(
        'SKIP_PLACE_UNKNOWN',
        `Capture waits on ${stuck?.code ?? 'an error'} behind ${stuck === undefined ? at : formatLsn(stuck.checkpointLsn)}, and it is not known in which transaction.`,
      );
    case 'not waiting':
      return new WaltrailError(
        'SKIP_NOT_WAITING',
        'Capture does not wait on an error that repeats at one place.',
      );
  }
}

/** Of the operating system; null where it has no name. */
function accountName(): string | null {
  try {
    return os.userInfo().username;
  } catch {
    return null;
  }
}
