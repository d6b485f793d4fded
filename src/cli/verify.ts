import { verifyQuick, type QuickReport } from '../proof/quick.js';
import { takeRole } from '../trail/roles.js';
import { defineCommand, usageError, type Command } from './command.js';
import { withTrail } from './trail-client.js';

/** Maximum number of findings that are printed. `--json` has more. */
const MOST_PRINTED = 20;
const PROGRESS_MS = 10_000;

/** `waltrail verify --quick`: exits with 1 if parts of the trail contradict each other. */
export const verify: Command = defineCommand({
  usage: '--quick',
  help: `Reads the whole trail and may run while capture writes to it. Exits with 1 if parts of the trail contradict each other.
A million entries take about two seconds.

  --quick   compare counters, ids, order, references, posting lists and summaries with the entries;
            does not check the values of entries
`,
  options: { quick: { type: 'boolean' } },
  json: true,
  run: ({ values, settings, say, answer }) => {
    if (values.quick !== true) throw usageError('waltrail verify takes the option --quick.');
    return withTrail(settings(), {
      purpose: 'verify',
      work: async (client) => {
        await takeRole(client, 'waltrail_reader');
        const begun = performance.now();
        const report = await verifyQuick({ client, progress: progressEvery(PROGRESS_MS, say) });
        const seconds = Math.round(performance.now() - begun) / 1000;
        answer({ text: reportText(report, seconds), data: { seconds, ...report } });
        return report.findings.total === 0 ? 0 : 1;
      },
    });
  },
});

function progressEvery(intervalMs: number, say: (text: string) => void): (entries: number) => void {
  let lastAt = performance.now();
  return (entries) => {
    if (performance.now() - lastAt < intervalMs) return;
    lastAt = performance.now();
    say(`${number(entries)} entries …\n`);
  };
}

function reportText({ checked, findings }: QuickReport, seconds: number): string {
  const { total, listed } = findings;
  const waiting =
    checked.blocksWaiting > 0 ? ` (${number(checked.blocksWaiting)} blocks are not summarized yet)` : '';
  const days = checked.days === 1 ? '1 day' : `${number(checked.days)} days`;
  const lines = [
    `Compared ${number(checked.entries)} entries of ${days} with ${number(checked.chunks)} chunks, ` +
      `${number(checked.postingRows)} rows of posting lists and ${number(checked.blocks)} blocks${waiting} in ${seconds.toFixed(1)} s.`,
    ...(total === 0
      ? ['Everything agrees.']
      : [
          `${number(total)} ${total === 1 ? 'finding' : 'findings'}:`,
          ...listed.slice(0, MOST_PRINTED).map(({ text }) => `  ${text}`),
        ]),
    ...(total > MOST_PRINTED ? [`  and ${number(total - MOST_PRINTED)} more`] : []),
  ];
  return `${lines.join('\n')}\n`;
}

const number = (value: number): string => value.toLocaleString('en');
