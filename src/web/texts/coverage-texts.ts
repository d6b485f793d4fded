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

/** What of a range the trail does not cover, in sentences; `isWhole`: it covers nothing of it. */
export interface Uncovered {
  readonly isWhole: boolean;
  readonly sentences: readonly string[];
}

/** Compares a range with what the trail covers. `timeText` prints an instant in the zone that is shown. */
export function uncovered(
  range: ShownRange,
  coverage: Coverage,
  timeText: (instant: string) => string,
): Uncovered {
  const { since, droppedBefore, until, asOf } = coverage;
  if (since === null) return { isWhole: true, sentences: ['Recording has not begun.'] };
  const sentences: string[] = [];
  if (range.from < Date.parse(since))
    sentences.push(`Recording began on ${timeText(since)}: what was changed before is not in the trail.`);
  if (droppedBefore !== null && range.from < Date.parse(droppedBefore))
    sentences.push(`Entries of changes before ${timeText(droppedBefore)} were dropped by the retention.`);
  const recording = recordingOf(coverage);
  // What is still to come is not missing.
  const end = Math.min(range.to, Date.parse(asOf));
  const current = recording === 'current' ? Infinity : until === null ? -Infinity : Date.parse(until);
  if (end > current)
    sentences.push(
      until === null
        ? `It is not known up to when the trail is current. ${RECORDING_TEXTS[recording].sentence}`
        : `The trail is current up to ${timeText(until)}. ${RECORDING_TEXTS[recording].sentence}`,
    );
  const begins = Math.max(Date.parse(since), droppedBefore === null ? -Infinity : Date.parse(droppedBefore));
  return { isWhole: range.to <= begins || range.from >= current, sentences };
}
