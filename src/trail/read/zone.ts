/** The clock of an IANA time zone: what it shows at an instant, and at which instants it shows a time. */
const DAY_MS = 86_400_000;
const MOST_FORMATS = 50;

const formats = new Map<string, Intl.DateTimeFormat>();

/**
 * Returns midnight of a date, given as that of UTC in milliseconds since 1970. Where a clock change skips it,
 * the day begins behind the change; where it is repeated, with the first.
 */
export const midnight = (utcMidnightMs: number, zone: string): number =>
  shownAt(utcMidnightMs, zone) ?? utcMidnightMs - offsetAt(utcMidnightMs - DAY_MS, zone);

/**
 * Returns the instant as many calendar days before another at which the clock shows the same time: the first
 * one where it does so twice. Where it is skipped, the earlier of the two instants that it may mean.
 */
export function daysBefore(instantMs: number, { days, zone }: { days: number; zone: string }): number {
  const wallMs = instantMs + offsetAt(instantMs, zone) - days * DAY_MS;
  return shownAt(wallMs, zone) ?? wallMs - offsetAt(wallMs + DAY_MS, zone);
}

/** Returns the first instant at which the clock shows a time, given as if it were UTC. */
function shownAt(wallMs: number, zone: string): number | undefined {
  // No zone changes its clock twice within two days.
  const offsets = [offsetAt(wallMs - DAY_MS, zone), offsetAt(wallMs + DAY_MS, zone)];
  const shown = offsets
    .map((offset) => wallMs - offset)
    .filter((instant) => instant + offsetAt(instant, zone) === wallMs);
  return shown.length === 0 ? undefined : Math.min(...shown);
}

/** Returns by how many milliseconds the clock is ahead of UTC at an instant. */
export function offsetAt(instantMs: number, zone: string): number {
  // The offset and not the date is read, because years before 1000 and those before Christ are ambiguous
  // there.
  const [, sign, hours, minutes, seconds] = OFFSET.exec(formatOf(zone).format(instantMs)) ?? [];
  if (hours === undefined) return 0;
  const ms = (Number(hours) * 3_600 + Number(minutes) * 60 + Number(seconds ?? 0)) * 1_000;
  return sign === '-' ? -ms : ms;
}

/** Prints an offset as `+02:00`, with seconds where a zone's history has them. */
export function offsetText(offsetMs: number): string {
  const seconds = Math.abs(offsetMs) / 1_000;
  const parts = [Math.floor(seconds / 3_600), Math.floor(seconds / 60) % 60];
  if (seconds % 60 !== 0) parts.push(seconds % 60);
  return `${offsetMs < 0 ? '-' : '+'}${parts.map((part) => String(part).padStart(2, '0')).join(':')}`;
}

/** The offset of the form `longOffset`; UTC is `GMT` without one. */
const OFFSET = /GMT([+-])(\d\d):(\d\d)(?::(\d\d))?$/;

function formatOf(zone: string): Intl.DateTimeFormat {
  let format = formats.get(zone);
  if (format === undefined) {
    format = new Intl.DateTimeFormat('en-US', { timeZone: zone, timeZoneName: 'longOffset' });
    // Names come from requests.
    if (formats.size >= MOST_FORMATS) formats.clear();
    formats.set(zone, format);
  }
  return format;
}
