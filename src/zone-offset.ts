/**
 * By how much the clock of an IANA time zone is ahead of UTC: the rule of files and page alike, so in a
 * file that imports nothing (decision 83).
 */
const MOST_FORMATS = 50;

/** The offset of the form `longOffset`; UTC is `GMT` without one. */
const OFFSET = /GMT([+-])(\d\d):(\d\d)(?::(\d\d))?$/;

const formats = new Map<string, Intl.DateTimeFormat>();

/** Returns by how many milliseconds the clock is ahead of UTC at an instant (milliseconds since 1970). */
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
