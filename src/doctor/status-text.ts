import { formatBytes, formatDuration } from '../tracking/format.js';
import type { CaptureState, Status } from './status.js';

/** Formats the status of capture for a terminal. */
export function statusText(status: Status): string {
  const lines: (readonly [what: string, says: string])[] = [
    ['capture', captureText(status)],
    ['lag', lagText(status)],
    ['slot', slotText(status)],
    ['entries', entriesText(status)],
    ['gaps', gapsText(status)],
    ['configuration', CONFIGURATION[status.configuration]],
    ['last 24 hours', recentText(status)],
    ...status.unreachable.map(
      ({ side, message, remedy }) => [side, `does not answer: ${message} ${remedy}`] as const,
    ),
  ];
  const width = Math.max(...lines.map(([what]) => what.length));
  return lines.map(([what, says]) => `${what.padEnd(width)}  ${says}\n`).join('');
}

const STATES: Readonly<Record<CaptureState, string>> = {
  streaming: 'streams',
  silent: 'has not reported that it streams: see its log, or "error" of GET /v1/status',
  'stopped at a gap': 'stopped at a gap of the whole stream: waltrail gaps says what to do',
  'nobody captures':
    'nobody captures: start Waltrail. If it runs, it waits because of an error, which its log states',
  'not begun': 'the trail has not begun: the first start of capture creates it',
  unknown: 'not known: the trail, which knows it, does not answer',
};

function captureText({ state, capture }: Status): string {
  if (capture === null) return STATES[state];
  const at = capture.address === null ? 'this machine' : capture.address;
  return `${STATES[state]}; the lock of capture is held from ${at} since ${capture.since} (server process ${capture.pid} of the trail)`;
}

function lagText({ lagBytes, lagSeconds, currentUntil, walBytesPerSecond }: Status): string {
  const bytes = lagBytes === null ? 'bytes not known' : formatBytes(lagBytes);
  const time =
    lagSeconds === null
      ? 'time not known'
      : `${formatDuration(lagSeconds)} (everything before ${currentUntil} is stored)`;
  const rate =
    walBytesPerSecond === null ? '' : `; the source writes ${formatBytes(walBytesPerSecond)}/s of WAL`;
  return `${bytes}, ${time}${rate}`;
}

function slotText({ state, slot, unreachable }: Status): string {
  if (slot === null) {
    if (unreachable.some(({ side }) => side === 'source')) return 'not known';
    if (state === 'not begun') return 'there is none yet';
    return state === 'unknown'
      ? 'there is none'
      : 'there is none: changes are lost until capture resumes with a new one';
  }
  const { name, active, keptBytes, unacknowledgedBytes } = slot;
  return `${name} is ${active ? '' : 'not '}being read; ${formatBytes(keptBytes)} of WAL kept for it, ${formatBytes(unacknowledgedBytes)} of that is not acknowledged; ${invalidationText(slot)}`;
}

function invalidationText({ invalidation }: NonNullable<Status['slot']>): string {
  switch (invalidation.is) {
    case 'invalidated':
      return `the source has invalidated it (${invalidation.reason})`;
    case 'in sight': {
      const { seconds, leftBytes } = invalidation;
      const left = leftBytes === null ? '' : ` (${formatBytes(Math.max(leftBytes, 0))} of WAL left)`;
      return `the source invalidates it in ${formatDuration(seconds)} at the current rate${left}`;
    }
    case 'not at the present rate':
      return `the source does not invalidate it at the current rate (${formatBytes(invalidation.leftBytes)} of WAL left)`;
    case 'never':
      return 'the source never invalidates it: the WAL that is kept has no limit';
    case 'unknown':
      return 'not known when the source invalidates it';
  }
}

const count = (value: number): string => value.toLocaleString('en');

function entriesText({ entries, lastEntryAt }: Status): string {
  if (entries === null) return 'not known';
  return `${count(entries)}; last commit ${lastEntryAt === null ? 'not known' : `at ${lastEntryAt}`}`;
}

function gapsText({ gaps }: Status): string {
  if (gaps === null) return 'not known';
  if (gaps.open + gaps.accepted === 0) return 'none is open';
  return `${gaps.open} open, ${gaps.accepted} accepted but not ended: see waltrail gaps`;
}

const CONFIGURATION: Readonly<Record<Status['configuration'], string>> = {
  'in effect': 'the configuration in the file is in effect',
  other: 'another configuration than that in the file is in effect: see waltrail reload --dry-run',
  unknown: 'not known',
};

function recentText({ recent }: Status): string {
  if (recent === null) return 'not known';
  if (recent.length === 0) return 'no entry';
  return recent.map(({ entityType, entries }) => `${entityType} ${count(entries)}`).join(', ');
}
