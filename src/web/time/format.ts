import { offsetAt, offsetText as printedOffset } from '../../zone-offset.ts';
import { instantOf, startOfDay, wallTime } from './zone.ts';

const two = (value: number): string => String(value).padStart(2, '0');

/** `2026-11-23` of an API timestamp in a zone. */
export function dateText(timestamp: string, zone: string): string {
  const wall = wallTime(Date.parse(timestamp), zone);
  return `${wall.year}-${two(wall.month)}-${two(wall.day)}`;
}

/** `09:51:07` of an API timestamp in a zone, with as many digits of the fraction as asked for. */
export function timeText(timestamp: string, zone: string, digits = 0): string {
  const wall = wallTime(Date.parse(timestamp), zone);
  const fraction = /\.(\d+)/.exec(timestamp)?.[1] ?? '';
  return `${two(wall.hour)}:${two(wall.minute)}:${two(wall.second)}${digits > 0 ? `.${fraction.padEnd(digits, '0').slice(0, digits)}` : ''}`;
}

/** `+02:00`: the offset of a zone from UTC at an instant; with seconds where its history has them. */
export const offsetText = (timestamp: string, zone: string): string =>
  printedOffset(offsetAt(Date.parse(timestamp), zone));

/** Whether a clock is changed on the day of an instant, so that a time of day may mean two instants. */
export function hasTwoOffsets(timestamp: string, zone: string): boolean {
  const instant = Date.parse(timestamp);
  return offsetAt(startOfDay(instant, zone), zone) !== offsetAt(startOfDay(instant, zone, 1), zone);
}

/** `2026-11-23 09:51:07.123456 +02:00` of an API timestamp, with as many digits as asked for. */
export function instantText(timestamp: string, zone: string, digits: number): string {
  return `${dateText(timestamp, zone)} ${timeText(timestamp, zone, digits)} ${offsetText(timestamp, zone)}`;
}

/** A timestamptz as PostgreSQL prints it in the years 1 to 9999. */
const PRINTED = /^(\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d)(\.\d{1,6})?([+-])(\d\d)(?::(\d\d)(?::(\d\d))?)?$/;
const FIRST_SHOWN = Date.parse('0001-01-01T00:00:00Z');
const END_SHOWN = Date.parse('+010000-01-01T00:00:00Z');

/**
 * What the clock of a zone shows at a timestamptz that PostgreSQL printed, as {@link instantText} with the
 * digits that it printed. Null where this is the time that was printed, and where the text is of no time that
 * a clock shows (`infinity`, before Christ, masked). Files follow the same rule (`ZoneClock.printed`).
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

/** `2026-11-23 09:51` in a zone. */
export function minuteText(timestamp: string, zone: string): string {
  return `${dateText(timestamp, zone)} ${timeText(timestamp, zone).slice(0, 5)}`;
}

/** `2026-11-23 09:51:07` in a zone. */
export function secondText(timestamp: string, zone: string): string {
  return `${dateText(timestamp, zone)} ${timeText(timestamp, zone)}`;
}

/** `2026-11-23 09:51`, the end of a range: with seconds, where they are not zero. */
export function endText(timestamp: string, zone: string): string {
  const time = timeText(timestamp, zone);
  return `${dateText(timestamp, zone)} ${time.endsWith(':00') ? time.slice(0, 5) : time}`;
}

/** Value of an `<input type="datetime-local">` for an instant, and back. */
export function inputText(timestamp: string, zone: string): string {
  return `${dateText(timestamp, zone)}T${timeText(timestamp, zone)}`;
}

/**
 * RFC 3339 instant of what a `datetime-local` input holds, read as a zone's wall clock; null when it holds no
 * time.
 */
export function inputInstant(value: string, zone: string): string | null {
  const match = /^(\d{4,6})-(\d\d)-(\d\d)T(\d\d):(\d\d)(?::(\d\d))?/.exec(value);
  if (match === null) return null;
  const [year, month, day, hour, minute, second] = match.slice(1).map((part) => Number(part ?? 0));
  const wall = { year: year!, month: month!, day: day!, hour: hour!, minute: minute!, second: second! };
  return isoText(instantOf(wall, zone));
}

/** `2026-11-23T09:51:07Z`; milliseconds only where they are not zero. */
export function isoText(instant: number): string {
  return new Date(instant).toISOString().replace('.000Z', 'Z');
}

const UNITS = [
  ['day', 86_400_000],
  ['hour', 3_600_000],
  ['minute', 60_000],
] as const;

/** `2 days and 3 hours`: the two largest units of a length in milliseconds. */
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
