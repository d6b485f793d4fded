import { setTimeout as sleep } from 'node:timers/promises';
import type pg from 'pg';
import { WaltrailError } from '../errors.js';
import { askReload, readReloadAnswers } from '../trail/reloads.js';
import { accountName } from './account.js';
import { defineCommand, type Command } from './command.js';
import { loadOwnConfig } from './config.js';
import { dryRun } from './reload-dry-run.js';
import { withTrail } from './trail-client.js';

/** Limit for the answer of a capturing daemon. It polls every second, and decides about a file within ten. */
const LIMIT_MS = 20_000;
const POLL_MS = 200;
/** Time for further daemons of the trail, which answer at about the same time as the first. */
const OTHERS_MS = 1_500;

type Answers = Awaited<ReturnType<typeof readReloadAnswers>>;

/**
 * `waltrail reload`: checks the file, asks every daemon of the trail to read its own file again, and prints
 * the result of each. Exits with 1 if a daemon refuses its file or reads another file than this one. Throws
 * RELOAD_UNANSWERED.
 */
export const reload: Command = defineCommand({
  usage: '[--dry-run]',
  help: `The file that this command sees is checked first. Its tracking configuration takes effect at once. If the source has to be
prepared for it, it takes effect at the position that waltrail apply marks. Exits with 1 if a daemon refuses its file or
reads another one.

  --dry-run   print how the file differs from the configuration in effect; changes nothing and asks no daemon
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
            `No daemon of this trail answered within ${LIMIT_MS / 1000} s.`,
          );
        const daemons = answers.map((one) => ({ ...one, sameFile: one.digest === digest }));
        answer({ text: daemons.map(textOf).join(''), data: { digest, daemons } });
        return daemons.every(({ sameFile }) => sameFile) ? 0 : 1;
      },
    });
  },
});

/** Waits for the capturing daemon's answer, and then for those of other daemons. */
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
  `${process}: ${outcome}\n${sameFile || digest === null ? '' : `${process}: its file differs from this one.\n`}`;
