import { offsetAt } from '../../zone-offset.ts';

/** A date and time of day as a clock on a wall shows it, without a zone. Month is 1 to 12. */
export interface WallTime {
  readonly year: number;
  readonly month: number;
  readonly day: number;
  readonly hour: number;
  readonly minute: number;
  readonly second: number;
}

const formats = new Map<string, Intl.DateTimeFormat>();

/** Whether this is an IANA zone name (or an alias or offset) that the browser knows. */
export function isZone(name: string): boolean {
  try {
    new Intl.DateTimeFormat('en', { timeZone: name });
    return name !== '';
  } catch {
    return false;
  }
}

/** The browser's zone. */
export function localZone(): string {
  return new Intl.DateTimeFormat().resolvedOptions().timeZone;
}

/** What the wall clock of a zone shows at an instant (milliseconds since 1970). */
export function wallTime(instant: number, zone: string): WallTime {
  const parts: Record<string, number> = {};
  for (const { type, value } of formatOf(zone).formatToParts(instant)) parts[type] = Number(value);
  return {
    year: parts['year']!,
    month: parts['month']!,
    day: parts['day']!,
    hour: parts['hour']!,
    minute: parts['minute']!,
    second: parts['second']!,
  };
}

/**
 * Instant at which a zone's wall clock shows a time. A time that a clock change skips is taken as that much
 * later, one that it repeats as the first of the two.
 */
export function instantOf(wall: WallTime, zone: string): number {
  const asUtc = utcOf(wall);
  // The offset is looked up a day before and a day after: around a clock change they differ and the earlier
  // instant that shows this time wins; in a skipped hour none does, and the offset before the change leads
  // past it.
  const before = offsetAt(asUtc - 86_400_000, zone);
  const after = offsetAt(asUtc + 86_400_000, zone);
  const candidates = [asUtc - before, asUtc - after].filter(
    (instant) => utcOf(wallTime(instant, zone)) === asUtc,
  );
  return candidates.length > 0 ? Math.min(...candidates) : asUtc - before;
}

/** Midnight with which the day of an instant begins in a zone, `days` days later (or, negative, earlier). */
export function startOfDay(instant: number, zone: string, days = 0): number {
  const wall = wallTime(instant, zone);
  const shifted = new Date(Date.UTC(wall.year, wall.month - 1, wall.day + days));
  return instantOf(
    {
      year: shifted.getUTCFullYear(),
      month: shifted.getUTCMonth() + 1,
      day: shifted.getUTCDate(),
      hour: 0,
      minute: 0,
      second: 0,
    },
    zone,
  );
}

/**
 * Instant as many calendar days later (or, negative, earlier) at which the clock shows the same time. A time
 * that is skipped is taken as {@link instantOf} takes it.
 */
export function shiftDays(instant: number, zone: string, days: number): number {
  const wall = wallTime(instant, zone);
  const shifted = new Date(Date.UTC(wall.year, wall.month - 1, wall.day + days));
  const date = {
    year: shifted.getUTCFullYear(),
    month: shifted.getUTCMonth() + 1,
    day: shifted.getUTCDate(),
  };
  const ms = ((instant % 1000) + 1000) % 1000;
  return instantOf({ ...wall, ...date }, zone) + ms;
}

function utcOf(wall: WallTime): number {
  return Date.UTC(wall.year, wall.month - 1, wall.day, wall.hour, wall.minute, wall.second);
}

function formatOf(zone: string): Intl.DateTimeFormat {
  let format = formats.get(zone);
  if (format === undefined) {
    format = new Intl.DateTimeFormat('en-US', {
      timeZone: zone,
      calendar: 'iso8601',
      numberingSystem: 'latn',
      hourCycle: 'h23',
      year: 'numeric',
      month: 'numeric',
      day: 'numeric',
      hour: 'numeric',
      minute: 'numeric',
      second: 'numeric',
    });
    formats.set(zone, format);
  }
  return format;
}
