import type { Check, Outcome } from '../doctor/check.js';
import { examine } from '../doctor/examine.js';
import { defineCommand, type Command } from './command.js';
import { loadOwnConfig } from './config.js';

/** `waltrail doctor`: exits with 1 if a check fails. */
export const doctor: Command = defineCommand({
  usage: '',
  help: `Checks the source and the trail of the YAML and prints one result for each check: pass, warn (capture works, but something
may go wrong or could be better) or fail. warn and fail have a remedy. Changes nothing. Exits with 1 if a check fails.
`,
  options: {},
  json: true,
  run: async ({ settings, answer }) => {
    const config = loadOwnConfig(settings());
    const checks = await examine({ config, now: new Date() });
    const counts = countsOf(checks);
    answer({ text: doctorText(checks, counts), data: { ...counts, checks } });
    return counts.fail > 0 ? 1 : 0;
  },
});

type Counts = Readonly<Record<Outcome, number>>;

const countsOf = (checks: readonly Check[]): Counts => {
  const counts = { pass: 0, warn: 0, fail: 0 };
  for (const { outcome } of checks) counts[outcome]++;
  return counts;
};

function doctorText(checks: readonly Check[], counts: Counts): string {
  const width = Math.max(...checks.map(({ id }) => id.length));
  const lines = checks.map((check) => lineOf(check, width));
  return `${lines.join('')}\n${counts.pass} passed, ${counts.warn} to know, ${counts.fail} failed\n`;
}

function lineOf({ id, outcome, says, remedy }: Check, width: number): string {
  const under = ' '.repeat('pass  '.length + width + 2);
  const text = says.replaceAll('\n', `\n${under}`);
  const what = remedy === null ? '' : `${under}${remedy.replaceAll('\n', `\n${under}`)}\n`;
  return `${outcome}  ${id.padEnd(width)}  ${text}\n${what}`;
}
