import { ERROR_CODES } from '../errors.js';
import { listGaps, type Gap } from '../trail/read/gap-list.js';
import { acceptGaps } from '../trail/write/gaps.js';
import { defineCommand, type Command } from './command.js';
import { withTrail } from './trail-client.js';

const MAX_LISTED = 100;

/**
 * `waltrail gaps [--accept]`: lists the gaps of the trail. Exits with 1 while a gap is open and not accepted.
 */
export const gaps: Command = defineCommand({
  usage: '[--accept]',
  help: `Lists up to ${MAX_LISTED} gaps, newest first. Exits with 1 while a gap is open and not accepted.

  --accept   resume capture after open gaps of the whole stream, and acknowledge open gaps of named tables. Those
             end automatically when the table is captured again or dropped. Gaps stay in the trail forever.
`,
  options: { accept: { type: 'boolean' } },
  json: true,
  run: ({ values, settings, answer }) =>
    withTrail(settings(), {
      purpose: 'gaps',
      work: async (client) => {
        const accepted = values.accept === true ? await acceptGaps(client) : 0;
        const listed = await listGaps(client, { limit: MAX_LISTED });
        answer({ text: gapsText(listed, accepted), data: { accepted, gaps: listed } });
        return listed.some(({ closedAt, acceptedAt }) => closedAt === null && acceptedAt === null) ? 1 : 0;
      },
    }),
});

function gapsText(listed: readonly Gap[], accepted: number): string {
  if (listed.length === 0) return 'The trail has no gap.\n';
  const lines = listed.map(gapText);
  if (accepted > 0)
    lines.push(`Accepted: ${accepted} ${accepted === 1 ? 'gap' : 'gaps'}.${afterAccepting(listed)}\n`);
  return lines.join('');
}

const afterAccepting = (listed: readonly Gap[]): string =>
  listed.some(({ scope, closedAt }) => scope === 'stream' && closedAt === null)
    ? ' Capture resumes within seconds.'
    : ' Each ends when its table is captured again or dropped.';

/** A gap of named tables stops nothing, so nothing has to be resumed. */
const TABLES_REMEDY =
  'Run waltrail apply, or the SQL of waltrail plan, on the source. The gap ends automatically when the table is captured completely again, or dropped.';

function gapText(gap: Gap): string {
  const state = gap.closedAt !== null ? 'closed' : gap.acceptedAt !== null ? 'accepted' : 'open';
  const ended = gap.scope === 'stream' ? 'capture resumed' : 'ended';
  const remedy = gap.scope === 'tables' ? TABLES_REMEDY : ERROR_CODES[gap.code].remedy;
  return [
    `${gap.id}  ${state}  ${gap.code}  ${gap.tables?.join(', ') ?? 'all tracked tables'}`,
    `    changes committed from ${gap.fromLsn} ${gap.toLsn === null ? 'on' : `to ${gap.toLsn}`}; last entry before: ${gap.lastEntryAt ?? 'none'}`,
    `    found ${gap.foundAt}${gap.closedAt === null ? '' : `, ${ended} ${gap.closedAt}`}`,
    ...(state === 'open' ? [`    ${remedy}`] : []),
    '',
  ].join('\n');
}
