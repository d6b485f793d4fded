import { setTimeout as sleep } from 'node:timers/promises';
import type pg from 'pg';
import { WaltrailError } from '../errors.js';
import { askReload, readReloadAnswers } from '../trail/reloads.js';
import { accountName } from './account.js';
import { defineCommand, type Command } from './command.js';
import { loadOwnConfig } from './config.js';
import { dryRun } from './reload-dry-run.js';
import { withTrail } from './trail-client.js';

/** A daemon looks every second, and capture says within ten what becomes of a file. */
const LIMIT_MS = 20_000;
const POLL_MS = 200;
/** Other daemons of the same trail answer at the same time as the first. */
const OTHERS_MS = 1_500;

type Answers = Awaited<ReturnType<typeof readReloadAnswers>>;

/**
 * `waltrail reload`: checks the file, asks every daemon of the trail to read its own again, and prints what
 * each has made of it. Exits with 1 if one refuses its file or reads another than this. Throws
 * RELOAD_UNANSWERED.
 */
export const reload: Command = defineCommand({
  usage: '[--dry-run]',
  help: `The file of this account is checked first. What it says of tracking comes into effect at once, or, where the source has to be
prepared for it, at the position that waltrail apply marks. Exits with 1 where a daemon refuses its file or reads another one.

  --dry-run   say what the file does otherwise than the configuration in effect, and change nothing; no daemon is asked
`,
  options: { 'dry-run': { type: 'boolean' } },
  json: true,
  run: ({ values, settings, answer }) => {
    const given = settings();
    if (values['dry-run'] === true) return dryRun(given, answer);
    const { digest } = loadOwnConfig(given).definition;
    return withTrail(given, {
      purpose: 'reload',
      work: async (client) => {
        const answers = await answersTo(client, await askReload(client, accountName()));
        if (answers.length === 0)
          throw new WaltrailError(
            'RELOAD_UNANSWERED',
            `No daemon of this trail has answered within ${LIMIT_MS / 1000} s.`,
          );
        const daemons = answers.map((one) => ({ ...one, sameFile: one.digest === digest }));
        answer({ text: daemons.map(textOf).join(''), data: { digest, daemons } });
        return daemons.every(({ sameFile }) => sameFile) ? 0 : 1;
      },
    });
  },
});

/** Waits for one answer, and then for those of other daemons. */
async function answersTo(client: pg.Client, request: number): Promise<Answers> {
  const deadline = performance.now() + LIMIT_MS;
  for (;;) {
    const answers = await readReloadAnswers(client, request);
    const captured = answers.some(({ captures }) => captures);
    if (captured || performance.now() > deadline) {
      await sleep(OTHERS_MS);
      return readReloadAnswers(client, request);
    }
    await sleep(POLL_MS);
  }
}

const textOf = ({
  process,
  outcome,
  digest,
  sameFile,
}: Answers[number] & { readonly sameFile: boolean }): string =>
  `${process}: ${outcome}\n${sameFile || digest === null ? '' : `${process}: its file is another than this one.\n`}`;
