import { endText, isoText, lengthText } from './format.ts';
import { startOfDay } from './zone.ts';

/** The ranges that one click chooses. All but yesterday end at "now" and keep growing. */
export const QUICK_RANGES = ['last-hour', 'today', 'yesterday', 'last-24-hours', 'last-7-days'] as const;
export type QuickRange = (typeof QUICK_RANGES)[number];
export const DEFAULT_RANGE: QuickRange = 'last-24-hours';

/** A range as the view keeps it. Instants are RFC 3339; null: without that end. */
export type Range =
  | { readonly kind: QuickRange }
  | { readonly kind: 'custom'; readonly from: string | null; readonly to: string | null };

/** A range as the API takes it: `[from, to)`, an absent end is left to the server. */
export interface ResolvedRange {
  readonly from?: string;
  readonly to?: string;
}

/** Why the server would refuse a range, and the two nearest ranges that it takes. */
export interface RangeProblem {
  readonly text: string;
  readonly fixes: readonly { readonly text: string; readonly range: Range }[];
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

/** Quick ranges that fit into the longest range of a report. */
export function quickRanges(maxRangeDays: number): readonly QuickRange[] {
  return QUICK_RANGES.filter((kind) => (LENGTHS[kind] ?? DAY) <= maxRangeDays * DAY);
}

/** Whether new entries can still fall into the range. */
export function isOpenEnded(range: Range): boolean {
  return range.kind === 'custom' ? range.to === null : range.kind !== 'yesterday';
}

/**
 * The ends to ask the server for. A range that is exactly as long as the limit is left to the server whole:
 * the browser's clock is not the server's, and a second's difference would make it too long.
 */
export function resolveRange(
  range: Range,
  options: { readonly now: number; readonly zone: string; readonly maxRangeDays: number },
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
      return length === options.maxRangeDays * DAY ? {} : { from: isoText(now - length) };
    }
  }
}

/** What is wrong with a custom range, before the server is asked; null when nothing is. */
export function checkRange(
  range: Range,
  options: { readonly now: number; readonly maxRangeDays: number },
): RangeProblem | null {
  if (range.kind !== 'custom' || range.from === null) return null;
  const from = Date.parse(range.from);
  const to = range.to === null ? options.now : Date.parse(range.to);
  if (to <= from) {
    const text =
      range.to === null ? 'The range begins in the future.' : 'The range ends before it begins, or is empty.';
    return { text, fixes: [] };
  }
  const limit = options.maxRangeDays * DAY;
  if (to - from <= limit) return null;
  return {
    text: `This range is ${lengthText(to - from)} long; a report covers at most ${lengthText(limit)}.`,
    fixes: [
      { text: 'Keep the start', range: { kind: 'custom', from: range.from, to: isoText(from + limit) } },
      { text: 'Keep the end', range: { kind: 'custom', from: isoText(to - limit), to: isoText(to) } },
    ],
  };
}
