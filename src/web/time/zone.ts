import { offsetAt } from '../../zone-offset.ts';

/** A date and a time of day as a wall clock shows them, without a zone. Months are 1 to 12. */
export interface WallTime {
  readonly year: number;
  readonly month: number;
  readonly day: number;
  readonly hour: number;
  readonly minute: number;
  readonly second: number;
}

const formats = new Map<string, Intl.DateTimeFormat>();

/** Whether this is an IANA zone name, or an alias, that the browser knows. The API takes no offsets. */
export function isZone(name: string): boolean {
  try {
    new Intl.DateTimeFormat('en', { timeZone: name });
    return /^[A-Za-z]/.test(name);
  } catch {
    return false;
  }
}

/** Returns the browser's zone. */
export function localZone(): string {
  return new Intl.DateTimeFormat().resolvedOptions().timeZone;
}

/** Returns what the wall clock of a zone shows at an instant (milliseconds since 1970). */
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
 * Returns the instant at which the wall clock of a zone shows a time. A clock change can skip a time: it is
 * then read with the offset before the change. A clock change can repeat a time: the first instant is
 * returned.
 */
export function instantOf(wall: WallTime, zone: string): number {
  const asUtc = utcOf(wall);
  // The offset is looked up a day before and a day after. Around a clock change they differ, and the earlier
  // instant that shows this time is taken. In a skipped hour no instant does. The offset before the change
  // then gives an instant after it.
  const before = offsetAt(asUtc - 86_400_000, zone);
  const after = offsetAt(asUtc + 86_400_000, zone);
  const candidates = [asUtc - before, asUtc - after].filter(
    (instant) => utcOf(wallTime(instant, zone)) === asUtc,
  );
  return candidates.length > 0 ? Math.min(...candidates) : asUtc - before;
}

/** Returns the start of an instant's day in a zone, or that of a day `days` later (negative: earlier). */
export function startOfDay(instant: number, zone: string, days = 0): number {
  const date = dateLater(wallTime(instant, zone), days);
  return instantOf({ ...date, hour: 0, minute: 0, second: 0 }, zone);
}

/**
 * Returns the instant `days` calendar days later (negative: earlier) at which the clock shows the same time.
 * A skipped time is handled as in {@link instantOf}.
 */
export function shiftDays(instant: number, zone: string, days: number): number {
  const wall = wallTime(instant, zone);
  const ms = ((instant % 1000) + 1000) % 1000;
  return instantOf({ ...wall, ...dateLater(wall, days) }, zone) + ms;
}

/** Returns the date `days` calendar days later (negative: earlier). */
function dateLater(wall: WallTime, days: number): Pick<WallTime, 'year' | 'month' | 'day'> {
  const shifted = new Date(utcOf({ ...wall, day: wall.day + days }));
  return {
    year: shifted.getUTCFullYear(),
    month: shifted.getUTCMonth() + 1,
    day: shifted.getUTCDate(),
  };
}

/** Returns the instant at which clocks in UTC show a time. A day beyond its month continues in the next. */
function utcOf(wall: WallTime): number {
  // Date.UTC takes the years 0 to 99 for 1900 to 1999.
  const date = new Date(0);
  date.setUTCFullYear(wall.year, wall.month - 1, wall.day);
  return date.setUTCHours(wall.hour, wall.minute, wall.second);
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
