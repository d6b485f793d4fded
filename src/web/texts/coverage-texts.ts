import type { Coverage } from '../api-types.ts';

/** Time that a trail may be behind and still count as current. Its position is reported every ten seconds. */
const CURRENT_MS = 20_000;

/** The state of recording, as readers see it. */
export type Recording = 'current' | 'behind' | 'interrupted' | 'stopped' | 'unknown';

/** Returns the state of recording, from the state of capture and from how far it is behind. */
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
  behind: { word: 'Behind', sentence: 'Recording is behind: later changes are still being read.' },
  interrupted: {
    word: 'Interrupted',
    sentence:
      'Recording is reconnecting to the source. No change is lost, but later changes are not here yet.',
  },
  stopped: {
    word: 'Stopped',
    sentence:
      'Recording is stopped until the operator of Waltrail acts. The status in the API has the cause and the remedy.',
  },
  unknown: { word: 'Not known', sentence: 'No daemon has recently reported that it records.' },
};

/** A range in milliseconds since 1970. Without an end, `to` is the current time. */
export interface ShownRange {
  readonly from: number;
  readonly to: number;
}

/**
 * The parts of a range that the trail does not cover, as sentences. `lacks`: how much is not covered.
 * `unknown`: the whole range may be covered.
 */
export interface Uncovered {
  readonly lacks: 'nothing' | 'a part' | 'all' | 'unknown';
  readonly sentences: readonly string[];
}

/**
 * Compares a range with what the trail covers. `newest`: the commit time of the newest entry, if the reader
 * may know it. `timeText` prints an instant in the zone that is shown.
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
    sentences.push(`Recording began on ${timeText(since)}. Earlier changes are not in the trail.`);
  const isAllBefore = range.to <= Date.parse(since);
  if (droppedBefore !== null && range.from < Date.parse(droppedBefore) && !isAllBefore)
    sentences.push(`Entries of changes before ${timeText(droppedBefore)} were removed by the retention.`);
  const begins = Math.max(Date.parse(since), droppedBefore === null ? -Infinity : Date.parse(droppedBefore));
  const isBefore = range.to <= begins;
  // The future is not missing.
  const end = Math.min(range.to, Date.parse(asOf));
  const recording = recordingOf(coverage);
  if (until === null) {
    if (isBefore || end <= begins) return { lacks: isBefore ? 'all' : lacking(sentences), sentences };
    sentences.push(unknownText({ coverage, newest, timeText }));
    return { lacks: sentences.length > 1 ? 'a part' : 'unknown', sentences };
  }
  // An empty list of such a range does not mean that nothing was changed.
  if (range.from >= Date.parse(asOf)) return { lacks: 'all', sentences: ['It is in the future.'] };
  const current = recording === 'current' ? Infinity : Date.parse(until);
  if (end > current)
    sentences.push(`The trail is current up to ${timeText(until)}. ${RECORDING_TEXTS[recording].sentence}`);
  return { lacks: isBefore || range.from >= current ? 'all' : lacking(sentences), sentences };
}

const lacking = (sentences: readonly string[]): 'nothing' | 'a part' =>
  sentences.length === 0 ? 'nothing' : 'a part';

/**
 * Returns the sentence for a trail whose current time is not known. After an upgrade that is so until capture
 * has read the source's position. The trail may have entries.
 */
function unknownText(options: {
  readonly coverage: Coverage;
  readonly newest: string | null;
  readonly timeText: (instant: string) => string;
}): string {
  const { coverage, newest, timeText } = options;
  const entries = newest === null ? '' : `; it has entries up to ${timeText(newest)}`;
  // If capture streams and has just not read the position yet, "No daemon has …" would be wrong.
  const recording =
    coverage.capture === 'streaming' ? '' : ` ${RECORDING_TEXTS[recordingOf(coverage)].sentence}`;
  return `It is not known yet up to what time the trail is current${entries}.${recording}`;
}
