import { WaltrailError } from '../errors.js';
import { formatLsn, parseLsn, type Lsn } from '../pg/lsn.js';
import { askSkip, readStuck, type SkipAnswer, type Stuck } from '../trail/write/stuck.js';
import { accountName } from './account.js';
import { defineCommand, type Command, usageError, type Answer } from './command.js';
import { withTrail } from './trail-client.js';

const MAX_REASON = 500;

/**
 * `waltrail skip --at LSN --reason TEXT`: makes capture skip one transaction. Without options it prints the
 * error that capture waits on, and exits with 1 if there is one. Throws SKIP_….
 */
export const skip: Command = defineCommand({
  usage: '[--at LSN --reason TEXT]',
  help: `  --at LSN       the commit LSN that the error names
  --reason TEXT  why; stored in the trail forever, with the name of your account

The changes of that transaction will not be in the trail. Names that it changes are read again as they are now. Use it only
as a last resort, for an error that repeats at one position although its remedy was tried. Without options the command
prints the error that capture waits on.
`,
  options: { at: { type: 'string' }, reason: { type: 'string' } },
  json: true,
  run: ({ values, settings, answer }) => {
    const wish = parseWish(values);
    return withTrail(settings(), {
      purpose: 'skip',
      work: async (client) => {
        if (wish === null) {
          const stuck = await readStuck(client);
          answer(waitsAnswer(stuck));
          return stuck === undefined ? 0 : 1;
        }
        const asked = await askSkip(client, { ...wish, account: accountName() });
        if (asked !== 'asked') throw refusal(asked, { wish, stuck: await readStuck(client) });
        const at = formatLsn(wish.atLsn);
        answer({
          text: `Requested. At its next try, within seconds, capture skips the transaction that commits at ${at}.\n`,
          data: { askedAtLsn: at },
        });
        return 0;
      },
    });
  },
});

interface Wish {
  readonly atLsn: Lsn;
  readonly reason: string;
}

/** Parses the options. Null if there are none. */
function parseWish(values: { readonly at?: string; readonly reason?: string }): Wish | null {
  if (values.at === undefined && values.reason === undefined) return null;
  const reason = values.reason?.trim() ?? '';
  if (values.at === undefined || reason === '')
    throw usageError('waltrail skip needs both --at LSN and --reason TEXT.');
  if (reason.length > MAX_REASON || /\p{Cc}/u.test(reason))
    throw usageError(`--reason must be one line of at most ${MAX_REASON} characters.`);
  try {
    return { atLsn: parseLsn(values.at), reason };
  } catch (error) {
    throw usageError('--at must be an LSN, such as 16/B374D848.', error);
  }
}

function waitsAnswer(stuck: Stuck | undefined): Answer {
  if (stuck === undefined)
    return {
      text: 'Capture does not wait on an error that repeats at one position.\n',
      data: { waitsOn: null },
    };
  const { code, message, tables } = stuck;
  const commitLsn = stuck.commitLsn === null ? null : formatLsn(stuck.commitLsn);
  const next =
    commitLsn === null
      ? 'The transaction is not known, so it cannot be skipped.'
      : `To skip it: waltrail skip --at ${commitLsn} --reason "…"`;
  const checkpointLsn = formatLsn(stuck.checkpointLsn);
  return {
    text: `${code}: ${message}\n${next}\n`,
    data: { waitsOn: { code, message, checkpointLsn, commitLsn, tables } },
  };
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
        `Skipping the transaction at ${at} was already requested.`,
      );
    case 'another place':
      return new WaltrailError(
        'SKIP_OTHER_LSN',
        `Capture does not wait on a transaction that commits at ${at}, but at ${stuck?.commitLsn == null ? 'another position' : formatLsn(stuck.commitLsn)}.`,
      );
    case 'place unknown':
      return new WaltrailError(
        'SKIP_PLACE_UNKNOWN',
        `Capture waits on ${stuck?.code ?? 'an error'} after ${stuck === undefined ? at : formatLsn(stuck.checkpointLsn)}. The transaction is not known.`,
      );
    case 'not waiting':
      return new WaltrailError(
        'SKIP_NOT_WAITING',
        'Capture does not wait on an error that repeats at one position.',
      );
  }
}
