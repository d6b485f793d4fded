import type { Coverage } from '../api-types.ts';

/** Milliseconds that a trail may be behind and still be called current: it is noted every ten seconds. */
const CURRENT_MS = 20_000;

/** What a reader may conclude of the trail right now. */
export type Recording = 'current' | 'behind' | 'interrupted' | 'stopped' | 'unknown';

/** Says how recording is doing, by the state of capture and by how far it is behind. */
export function recordingOf({ capture, until, asOf }: Coverage): Recording {
  if (capture === 'stopped') return 'stopped';
  if (capture === 'reconnecting' || capture === 'starting') return 'interrupted';
  if (capture === 'unknown' || until === null) return 'unknown';
  return Date.parse(asOf) - Date.parse(until) <= CURRENT_MS ? 'current' : 'behind';
}

export const RECORDING_TEXTS: Readonly<
  Record<Recording, { readonly word: string; readonly sentence: string }>
> = {
  current: { word: 'Live', sentence: 'Recording is current.' },
  behind: { word: 'Behind', sentence: 'Recording is behind: it still reads what was changed since.' },
  interrupted: {
    word: 'Interrupted',
    sentence: 'Recording connects to the source again; nothing is missed, but nothing newer is here yet.',
  },
  stopped: {
    word: 'Stopped',
    sentence:
      'Recording is stopped until whoever runs Waltrail acts: the status of the API says why, and what to do.',
  },
  unknown: { word: 'Not known', sentence: 'No daemon has said lately that it records.' },
};

/** A range in milliseconds since 1970; `to` of a range without an end is now. */
export interface ShownRange {
  readonly from: number;
  readonly to: number;
}

/**
 * What of a range the trail does not cover, in sentences. `lacks`: how much that is; `unknown`: all of it may
 * be covered.
 */
export interface Uncovered {
  readonly lacks: 'nothing' | 'a part' | 'all' | 'unknown';
  readonly sentences: readonly string[];
}

/**
 * Compares a range with what the trail covers. `newest`: the commit time of the newest entry, where the
 * reader may know it. `timeText` prints an instant in the zone that is shown.
 */
export function uncovered(
  range: ShownRange,
  { coverage, newest }: { readonly coverage: Coverage; readonly newest: string | null },
  timeText: (instant: string) => string,
): Uncovered {
  const { since, droppedBefore, until, asOf } = coverage;
  if (since === null) return { lacks: 'all', sentences: ['Recording has not begun.'] };
  const sentences: string[] = [];
  if (range.from < Date.parse(since))
    sentences.push(`Recording began on ${timeText(since)}: what was changed before is not in the trail.`);
  if (droppedBefore !== null && range.from < Date.parse(droppedBefore))
    sentences.push(`Entries of changes before ${timeText(droppedBefore)} were dropped by the retention.`);
  const begins = Math.max(Date.parse(since), droppedBefore === null ? -Infinity : Date.parse(droppedBefore));
  const isBefore = range.to <= begins;
  // What is still to come is not missing.
  const end = Math.min(range.to, Date.parse(asOf));
  const recording = recordingOf(coverage);
  if (until === null) {
    if (isBefore || end <= begins) return { lacks: isBefore ? 'all' : lacking(sentences), sentences };
    sentences.push(unknownText({ coverage, newest, timeText }));
    return { lacks: sentences.length > 1 ? 'a part' : 'unknown', sentences };
  }
  const current = recording === 'current' ? Infinity : Date.parse(until);
  if (end > current)
    sentences.push(`The trail is current up to ${timeText(until)}. ${RECORDING_TEXTS[recording].sentence}`);
  return { lacks: isBefore || range.from >= current ? 'all' : lacking(sentences), sentences };
}

const lacking = (sentences: readonly string[]): 'nothing' | 'a part' =>
  sentences.length === 0 ? 'nothing' : 'a part';

/**
 * Says that it is not known up to when the trail is current: of a trail that was upgraded, until capture has
 * looked at the source. Entries may be there all the same.
 */
function unknownText(options: {
  readonly coverage: Coverage;
  readonly newest: string | null;
  readonly timeText: (instant: string) => string;
}): string {
  const { coverage, newest, timeText } = options;
  const entries = newest === null ? '' : `; it has entries up to ${timeText(newest)}`;
  // Capture that streams and has not looked yet is no daemon that says nothing.
  const recording =
    coverage.capture === 'streaming' ? '' : ` ${RECORDING_TEXTS[recordingOf(coverage)].sentence}`;
  return `It is not known yet up to when the trail is current${entries}.${recording}`;
}
