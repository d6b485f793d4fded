import { offsetAt, offsetText as printedOffset } from '../../zone-offset.ts';
import { instantOf, startOfDay, wallTime } from './zone.ts';

const two = (value: number): string => String(value).padStart(2, '0');

/** Formats the date of an API timestamp in a zone: `2026-11-23`. */
export function dateText(timestamp: string, zone: string): string {
  const wall = wallTime(Date.parse(timestamp), zone);
  return `${wall.year}-${two(wall.month)}-${two(wall.day)}`;
}

/**
 * Formats the time of an API timestamp in a zone: `09:51:07`. `digits`: those of the fraction of the second.
 */
export function timeText(timestamp: string, zone: string, digits = 0): string {
  const wall = wallTime(Date.parse(timestamp), zone);
  const fraction = /\.(\d+)/.exec(timestamp)?.[1] ?? '';
  return `${two(wall.hour)}:${two(wall.minute)}:${two(wall.second)}${digits > 0 ? `.${fraction.padEnd(digits, '0').slice(0, digits)}` : ''}`;
}

/** Formats the offset of a zone from UTC at an instant: `+02:00`. Some old offsets have seconds. */
export const offsetText = (timestamp: string, zone: string): string =>
  printedOffset(offsetAt(Date.parse(timestamp), zone));

/**
 * Whether the clock of a zone is changed on the day of an instant. A time of day may then be two instants.
 */
export function hasTwoOffsets(timestamp: string, zone: string): boolean {
  const instant = Date.parse(timestamp);
  return offsetAt(startOfDay(instant, zone), zone) !== offsetAt(startOfDay(instant, zone, 1), zone);
}

/** Formats an API timestamp: `2026-11-23 09:51:07.123456 +02:00`. `digits`: those of the fraction. */
export function instantText(timestamp: string, zone: string, digits: number): string {
  return `${dateText(timestamp, zone)} ${timeText(timestamp, zone, digits)} ${offsetText(timestamp, zone)}`;
}

/** Matches a timestamptz as PostgreSQL prints it in the years 1 to 9999. */
const PRINTED = /^(\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d)(\.\d{1,6})?([+-])(\d\d)(?::(\d\d)(?::(\d\d))?)?$/;
const FIRST_SHOWN = Date.parse('0001-01-01T00:00:00Z');
const END_SHOWN = Date.parse('+010000-01-01T00:00:00Z');

/**
 * Formats a timestamptz that PostgreSQL printed, in another zone, like {@link instantText}. The fraction
 * keeps its digits. Null if the result would equal the printed text, and for texts that are not a time of a
 * clock (`infinity`, before Christ, masked). Exported files follow the same rule (`ZoneClock.printed`).
 */
export function printedInstantText(printed: string, zone: string): string | null {
  const match = PRINTED.exec(printed);
  if (match === null) return null;
  const [, date, time, fraction = '', sign, hours, minutes = '0', seconds = '0'] = match;
  const shown = Date.parse(`${date!}T${time!}Z`);
  if (Number.isNaN(shown)) return null;
  const ahead = ((Number(hours) * 60 + Number(minutes)) * 60 + Number(seconds)) * 1000;
  const printedMs = sign === '-' ? -ahead : ahead;
  const offset = offsetAt(shown - printedMs, zone);
  const local = shown - printedMs + offset;
  if (offset === printedMs || local < FIRST_SHOWN || local >= END_SHOWN) return null;
  const wall = new Date(local).toISOString().slice(0, 19).replace('T', ' ');
  return `${wall}${fraction} ${printedOffset(offset)}`;
}

/** Formats a timestamp to the minute in a zone: `2026-11-23 09:51`. */
export function minuteText(timestamp: string, zone: string): string {
  return `${dateText(timestamp, zone)} ${timeText(timestamp, zone).slice(0, 5)}`;
}

/** Formats a timestamp to the second in a zone: `2026-11-23 09:51:07`. */
export function secondText(timestamp: string, zone: string): string {
  return `${dateText(timestamp, zone)} ${timeText(timestamp, zone)}`;
}

/** Formats the end of a range: `2026-11-23 09:51`. Seconds are shown if they are not zero. */
export function endText(timestamp: string, zone: string): string {
  const time = timeText(timestamp, zone);
  return `${dateText(timestamp, zone)} ${time.endsWith(':00') ? time.slice(0, 5) : time}`;
}

/** Returns the value of an `<input type="datetime-local">` for an instant. */
export function inputText(timestamp: string, zone: string): string {
  return `${dateText(timestamp, zone)}T${timeText(timestamp, zone)}`;
}

/**
 * Returns the RFC 3339 instant for the value of a `datetime-local` input, read as the wall clock of a zone.
 * Null if the value is not a time.
 */
export function inputInstant(value: string, zone: string): string | null {
  const match = /^(\d{4,6})-(\d\d)-(\d\d)T(\d\d):(\d\d)(?::(\d\d))?/.exec(value);
  if (match === null) return null;
  const [year, month, day, hour, minute, second] = match.slice(1).map((part) => Number(part ?? 0));
  const wall = { year: year!, month: month!, day: day!, hour: hour!, minute: minute!, second: second! };
  return isoText(instantOf(wall, zone));
}

/** Formats an instant as `2026-11-23T09:51:07Z`. Milliseconds are printed only if they are not zero. */
export function isoText(instant: number): string {
  return new Date(instant).toISOString().replace('.000Z', 'Z');
}

const UNITS = [
  ['day', 86_400_000],
  ['hour', 3_600_000],
  ['minute', 60_000],
] as const;

/** Formats a length in milliseconds by its two largest units: `2 days and 3 hours`. */
export function lengthText(length: number): string {
  const parts: string[] = [];
  let rest = length;
  for (const [unit, size] of UNITS) {
    const count = Math.floor(rest / size);
    if (count > 0) parts.push(`${count} ${unit}${count === 1 ? '' : 's'}`);
    rest -= count * size;
  }
  return parts.length === 0 ? 'less than a minute' : parts.slice(0, 2).join(' and ');
}
