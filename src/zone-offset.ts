/*
 * Computes how far the clock of an IANA time zone is ahead of UTC. Exported files and the page both use it,
 * so this file imports nothing (decision 83).
 */

/** Most date formats that are kept. */
const MOST_FORMATS = 50;

/** The offset in a text of the form `longOffset`. For UTC the text is `GMT` without an offset. */
const OFFSET = /GMT([+-])(\d\d):(\d\d)(?::(\d\d))?$/;

const formats = new Map<string, Intl.DateTimeFormat>();

/**
 * Returns how many milliseconds the clock of a zone is ahead of UTC at an instant (milliseconds since 1970).
 */
export function offsetAt(instantMs: number, zone: string): number {
  // The offset is read, and not the date, because printed dates are ambiguous for years before 1000 and
  // before Christ.
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
    // Zone names come from requests, so their number must be limited.
    if (formats.size >= MOST_FORMATS) formats.clear();
    formats.set(zone, format);
  }
  return format;
}
