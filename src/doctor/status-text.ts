import { formatBytes, formatDuration } from '../tracking/format.js';
import type { CaptureState, Status } from './status.js';

/** How capture stands, for a terminal. */
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
  silent: 'does not say that it streams: see its log, or "error" of GET /v1/status',
  'stopped at a gap': 'stopped at a gap of the whole stream: waltrail gaps says what to do',
  'nobody captures':
    'nobody captures: start Waltrail, or see the log of the process that runs, which waits because of an error',
  'not begun': 'no trail has begun: the first start of capture makes it',
  unknown: 'not known: only the trail knows who captures',
};

function captureText({ state, capture }: Status): string {
  if (capture === null) return STATES[state];
  const at = capture.address === null ? 'this machine' : capture.address;
  return `${STATES[state]}; the lock of capture is held from ${at} since ${capture.since} (process ${capture.pid} of the server of the trail)`;
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

function slotText({ slot, unreachable }: Status): string {
  if (slot === null)
    return unreachable.some(({ side }) => side === 'source') ? 'not known' : 'there is none yet';
  const { name, active, keptBytes, unacknowledgedBytes } = slot;
  return `${name} is ${active ? '' : 'not '}being read; ${formatBytes(keptBytes)} of WAL kept for it, ${formatBytes(unacknowledgedBytes)} of them not acknowledged; ${invalidationText(slot)}`;
}

function invalidationText({ invalidation }: NonNullable<Status['slot']>): string {
  switch (invalidation.is) {
    case 'invalidated':
      return `the source has given it up (${invalidation.reason})`;
    case 'in sight': {
      const { seconds, leftBytes } = invalidation;
      const left = leftBytes === null ? '' : ` (${formatBytes(Math.max(leftBytes, 0))} of WAL left)`;
      return `given up in ${formatDuration(seconds)} at the present rate${left}`;
    }
    case 'not at the present rate':
      return `not given up at the present rate (${formatBytes(invalidation.leftBytes)} of WAL left)`;
    case 'never':
      return 'never given up: there is no limit to the WAL that is kept';
    case 'unknown':
      return 'not known when it is given up';
  }
}

const count = (value: number): string => value.toLocaleString('en');

function entriesText({ entries, lastEntryAt }: Status): string {
  if (entries === null) return 'not known';
  return `${count(entries)}, the last of a commit at ${lastEntryAt ?? 'no time yet'}`;
}

function gapsText({ gaps }: Status): string {
  if (gaps === null) return 'not known';
  if (gaps.open + gaps.accepted === 0) return 'none is open';
  return `${gaps.open} open, ${gaps.accepted} accepted that last: see waltrail gaps`;
}

const CONFIGURATION: Readonly<Record<Status['configuration'], string>> = {
  'in effect': 'that of the file is in effect',
  other: 'entries are made by another one than that of the file: see waltrail reload --dry-run',
  unknown: 'not known',
};

function recentText({ recent }: Status): string {
  if (recent === null) return 'not known';
  if (recent.length === 0) return 'no entry';
  return recent.map(({ entityType, entries }) => `${entityType} ${count(entries)}`).join(', ');
}
