import { WaltrailError } from '../../errors.js';
import { daysBefore, midnight } from './zone.js';

/** A half-open range of commit time `[from, to)`, as RFC 3339 instants in UTC with microseconds. */
export interface TimeRange {
  readonly from: string;
  readonly to: string;
}

export interface RangeRequest {
  /**
   * RFC 3339 instant with an offset, or a date (midnight in the zone). By default, the range has its greatest
   * length.
   */
  readonly from?: string | undefined;
  /** In the same format as `from`; `now` by default. */
  readonly to?: string | undefined;
  /** `reports.max_range` of the YAML. */
  readonly maxRangeMs: number;
  /**
   * The same limit in calendar days of the zone, if the YAML gives it in days (`7d`). Null: the limit is
   * elapsed time.
   */
  readonly maxRangeDays: number | null;
  /** IANA name of the time zone for dates and days. */
  readonly timezone: string;
  readonly now: Date;
}

const INSTANT =
  /^(\d{4})-(\d{2})-(\d{2})(?:[Tt]([01]\d|2[0-3]):([0-5]\d):([0-5]\d)(?:\.(\d+))?(?:[Zz]|([+-])([01]\d|2[0-3]):([0-5]\d)))?$/;

/**
 * Resolves the range of a page, a facet count or an export. Only this function has the defaults and applies
 * the limit. Throws RANGE_INVALID (not an instant, or `to` not after `from`) and RANGE_TOO_LONG. Both name
 * the parameter.
 */
export function resolveRange(request: RangeRequest): TimeRange {
  const { timezone } = request;
  const to =
    request.to === undefined
      ? BigInt(request.now.getTime()) * 1000n
      : parseInstant('to', { text: request.to, timezone });
  const earliest = earliestOf(to, request);
  const from = request.from === undefined ? earliest : parseInstant('from', { text: request.from, timezone });
  if (to <= from) {
    throw invalid(
      'RANGE_INVALID',
      request.to === undefined ? 'from' : 'to',
      '"to" must be later than "from".',
    );
  }
  if (from < earliest) {
    const longest = `${describeDuration(request.maxRangeMs)}${request.maxRangeDays === null ? '' : ` on the calendar of ${timezone}`}`;
    throw invalid(
      'RANGE_TOO_LONG',
      'from',
      `The range covers ${describeRange(to - from)}; reports cover at most ${longest}.`,
      { maxRangeMs: request.maxRangeMs },
    );
  }
  return { from: formatInstant(from), to: formatInstant(to) };
}

/** Returns the beginning of the longest range that ends at an instant, both in microseconds since 1970. */
function earliestOf(to: bigint, { maxRangeMs, maxRangeDays, timezone }: RangeRequest): bigint {
  if (maxRangeDays === null) return to - BigInt(maxRangeMs) * 1000n;
  const micros = ((to % 1000n) + 1000n) % 1000n;
  const ms = Number((to - micros) / 1000n);
  return BigInt(daysBefore(ms, { days: maxRangeDays, zone: timezone })) * 1000n + micros;
}

/**
 * Throws RANGE_TOO_LONG if a live stream may not resume at an entry of this commit time. A resumed stream
 * delivers all entries up to now, so the limit for reports applies.
 */
export function assertResumable(options: {
  readonly asOfMs: number;
  /** `reports.max_range` of the YAML. */
  readonly maxRangeMs: number;
  readonly nowMs: number;
}): void {
  const { asOfMs, maxRangeMs, nowMs } = options;
  if (nowMs - asOfMs <= maxRangeMs) return;
  const age = describeDuration(nowMs - asOfMs);
  const longest = describeDuration(maxRangeMs);
  throw new WaltrailError(
    'RANGE_TOO_LONG',
    `Last-Event-ID is ${age} old. A stream can resume at most ${longest} back.`,
    {
      remedy: 'Open the stream without Last-Event-ID. Read or export the earlier entries in shorter ranges.',
      details: { maxRangeMs },
    },
  );
}

/**
 * Parses an instant to microseconds since 1970. Digits after the sixth round up, so `[from, to)` still
 * contains exactly the same entries.
 */
function parseInstant(
  name: string,
  { text, timezone }: { readonly text: string; readonly timezone: string },
): bigint {
  const match = INSTANT.exec(text);
  const [
    ,
    year,
    month,
    day,
    hour,
    minute = '0',
    second = '0',
    fraction = '',
    sign,
    offsetHour,
    offsetMinute,
  ] = match ?? [];
  const date = Date.UTC(Number(year), Number(month) - 1, Number(day));
  // Date.UTC turns February 30 into March 2, and the years 0 to 99 into 1900 to 1999.
  if (match !== null && Number(year) < FIRST_YEAR) throw outside(name);
  if (match === null || new Date(date).toISOString().slice(0, 10) !== `${year}-${month}-${day}`) {
    throw invalid(
      'RANGE_INVALID',
      name,
      `"${name}" must be an RFC 3339 instant (2026-11-23T09:00:00Z) or a date (2026-11-23).`,
    );
  }
  if (hour === undefined) return inYears(name, BigInt(midnight(date, timezone)) * 1000n);
  const seconds = Number(hour) * 3600 + Number(minute) * 60 + Number(second);
  const offset = (Number(offsetHour ?? 0) * 60 + Number(offsetMinute ?? 0)) * (sign === '-' ? -60 : 60);
  const micros = BigInt(fraction.slice(0, 6).padEnd(6, '0')) + (/[1-9]/.test(fraction.slice(6)) ? 1n : 0n);
  return inYears(name, (BigInt(date) / 1000n + BigInt(seconds - offset)) * 1_000_000n + micros);
}

const FIRST_YEAR = 100;
const END_MICROS = BigInt(Date.UTC(10_000, 0, 1)) * 1000n;

/**
 * Returns an instant whose year in UTC has four digits. Near the end of the year 9999, an offset or rounding
 * can lead to a time that neither RFC 3339 nor PostgreSQL's ISO format can express.
 */
function inYears(name: string, micros: bigint): bigint {
  if (micros >= END_MICROS) throw outside(name);
  return micros;
}

const outside = (name: string): WaltrailError =>
  invalid('RANGE_INVALID', name, `"${name}" must be in the years ${FIRST_YEAR} to 9999 in UTC.`);

function formatInstant(micros: bigint): string {
  const fraction = ((micros % 1_000_000n) + 1_000_000n) % 1_000_000n;
  const seconds = new Date(Number((micros - fraction) / 1000n)).toISOString().slice(0, 19);
  return `${seconds}.${fraction.toString().padStart(6, '0')}Z`;
}

/**
 * Prints a duration, such as `7 days`, `36 hours` or `90 seconds`. It is rounded down to seconds, and printed
 * in the largest unit that divides it. A longer one that no unit divides is printed as `more than 8 days`.
 */
function describeDuration(ms: number): string {
  const seconds = Math.floor(ms / 1000);
  for (const [unit, size] of [
    ['day', 86_400],
    ['hour', 3600],
    ['minute', 60],
  ] as const) {
    if (seconds >= size && seconds % size === 0) return plural(seconds / size, unit);
  }
  return seconds > 2 * 86_400
    ? `more than ${plural(Math.floor(seconds / 86_400), 'day')}`
    : plural(seconds, 'second');
}

/** Prints the length of a range in microseconds. A part of a second is printed as `more than 7 days`. */
function describeRange(micros: bigint): string {
  const text = describeDuration(Number(micros / 1000n));
  return micros % 1_000_000n === 0n || text.startsWith('more') ? text : `more than ${text}`;
}

const plural = (count: number, unit: string): string => `${count} ${unit}${count === 1 ? '' : 's'}`;

function invalid(
  code: 'RANGE_INVALID' | 'RANGE_TOO_LONG',
  path: string,
  message: string,
  details: Readonly<Record<string, unknown>> = {},
): WaltrailError {
  return new WaltrailError(code, message, { details: { ...details, errors: [{ path, message }] } });
}
