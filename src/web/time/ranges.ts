import { endText, isoText, lengthText } from './format.ts';
import { shiftDays, startOfDay } from './zone.ts';

/** The ranges that one click chooses. Except yesterday, they end at the current time and so move with it. */
export const QUICK_RANGES = ['last-hour', 'today', 'yesterday', 'last-24-hours', 'last-7-days'] as const;
export type QuickRange = (typeof QUICK_RANGES)[number];
export const DEFAULT_RANGE: QuickRange = 'last-24-hours';

/** A range as the view stores it. Instants are RFC 3339. Null: the range has no such end. */
export type Range =
  | { readonly kind: QuickRange }
  | { readonly kind: 'custom'; readonly from: string | null; readonly to: string | null };

/** A range as the API takes it: `[from, to)`. The server chooses an end that is absent. */
export interface ResolvedRange {
  readonly from?: string;
  readonly to?: string;
}

/** Why the server would refuse a range, and the two nearest ranges that it would accept. */
export interface RangeProblem {
  readonly text: string;
  readonly fixes: readonly { readonly text: string; readonly range: Range }[];
}

/** The longest range of a report, as the session states it. */
export interface RangeLimit {
  readonly maxRangeDays: number;
  /** Whether these are calendar days in the zone. Otherwise each has 24 hours. */
  readonly calendarDays: boolean;
}

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const LENGTHS: Partial<Record<QuickRange, number>> = {
  'last-hour': HOUR,
  'last-24-hours': DAY,
  'last-7-days': 7 * DAY,
};

export const QUICK_RANGE_TEXTS: Readonly<Record<QuickRange, string>> = {
  'last-hour': 'Last hour',
  today: 'Today',
  yesterday: 'Yesterday',
  'last-24-hours': 'Last 24 hours',
  'last-7-days': 'Last 7 days',
};

/** Returns the text of a range in a zone. */
export function rangeText(range: Range, zone: string): string {
  if (range.kind !== 'custom') return QUICK_RANGE_TEXTS[range.kind];
  const from = range.from === null ? null : endText(range.from, zone);
  const to = range.to === null ? null : endText(range.to, zone);
  if (from === null) return `Until ${to ?? 'now'}`;
  return to === null ? `Since ${from}` : `${from} – ${to}`;
}

/** Returns the quick ranges that are not longer than the longest range of a report. */
export function quickRanges(maxRangeDays: number): readonly QuickRange[] {
  return QUICK_RANGES.filter((kind) => (LENGTHS[kind] ?? DAY) <= maxRangeDays * DAY);
}

/** Whether new entries can still be in the range. */
export function isOpenEnded(range: Range): boolean {
  return range.kind === 'custom' ? range.to === null : range.kind !== 'yesterday';
}

/** Returns the first instant of the longest range that ends at `end`. */
export function earliestOf(
  end: number,
  { maxRangeDays, calendarDays, zone }: RangeLimit & { readonly zone: string },
): number {
  return calendarDays ? shiftDays(end, zone, -maxRangeDays) : end - maxRangeDays * DAY;
}

/**
 * Returns the ends to request from the server. For a quick range of exactly the maximum length, both are
 * absent and the server chooses them: its clock differs from the browser's, and one second could make it too
 * long.
 */
export function resolveRange(
  range: Range,
  options: Omit<RangeLimit, 'calendarDays'> & { readonly now: number; readonly zone: string },
): ResolvedRange {
  const { now, zone } = options;
  switch (range.kind) {
    case 'today':
      return { from: isoText(startOfDay(now, zone)) };
    case 'yesterday':
      return { from: isoText(startOfDay(now, zone, -1)), to: isoText(startOfDay(now, zone)) };
    case 'custom':
      return {
        ...(range.from === null ? {} : { from: range.from }),
        ...(range.to === null ? {} : { to: range.to }),
      };
    case 'last-hour':
    case 'last-24-hours':
    case 'last-7-days': {
      const length = LENGTHS[range.kind]!;
      if (length === options.maxRangeDays * DAY) return {};
      return { from: isoText(range.kind === 'last-7-days' ? shiftDays(now, zone, -7) : now - length) };
    }
  }
}

/** Returns what is wrong with a custom range, before it is requested. Null if nothing is wrong. */
export function checkRange(
  range: Range,
  options: RangeLimit & { readonly now: number; readonly zone: string },
): RangeProblem | null {
  if (range.kind !== 'custom' || range.from === null) return null;
  const from = Date.parse(range.from);
  const to = range.to === null ? options.now : Date.parse(range.to);
  if (to <= from) {
    const text =
      range.to === null ? 'The range begins in the future.' : 'The range ends before it begins, or is empty.';
    return { text, fixes: [] };
  }
  const earliest = earliestOf(to, options);
  if (from >= earliest) return null;
  const { maxRangeDays, calendarDays, zone } = options;
  const longest = lengthText(maxRangeDays * DAY);
  const length = lengthText(to - from);
  const latest = calendarDays ? shiftDays(from, zone, maxRangeDays) : from + maxRangeDays * DAY;
  return {
    // In a week with a clock change, 168 hours may be an hour too long.
    text:
      length === longest
        ? `This range is longer than ${longest} of the calendar in ${zone}. A report covers at most ${longest}.`
        : `This range is ${length} long. A report covers at most ${longest}.`,
    fixes: [
      { text: 'Keep the start', range: { kind: 'custom', from: range.from, to: isoText(latest) } },
      { text: 'Keep the end', range: { kind: 'custom', from: isoText(earliest), to: isoText(to) } },
    ],
  };
}
