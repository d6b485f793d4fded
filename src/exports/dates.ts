import type { TimeRange } from '../trail/read/range.js';
import { offsetAt, offsetText } from '../zone-offset.js';

/** An instant on the clock of a time zone. */
export interface LocalTime {
  /** Local date and time, as `2026-10-25T02:30:00.123456`. */
  readonly text: string;
  /** Offset from UTC, as `+02:00`; with seconds if the zone's history has them. */
  readonly offset: string;
  /** The local date and time, as milliseconds since 1970 as if it were UTC. */
  readonly localMs: number;
}

const INSTANT = /^(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)\.(\d{6})Z$/;
const DAY_MS = 86_400_000;

/** At least since the 1970s, zones change their offset only at multiples of a quarter of an hour. */
const BUCKET_MS = 900_000;
const MOST_STRETCHES = 20_000;

/** By how much the clock of a zone is ahead of UTC. */
export interface Offset {
  readonly ms: number;
  /** The offset as text, as `+02:00`. */
  readonly text: string;
}

/** Matches a timestamptz as PostgreSQL prints it in the years 1 to 9999. */
const PRINTED =
  /^(\d{4})-(\d\d)-(\d\d) (\d\d):(\d\d):(\d\d)(\.\d{1,6})?([+-])(\d\d)(?::(\d\d)(?::(\d\d))?)?$/;
const FIRST_SHOWN_MS = Date.parse('0001-01-01T00:00:00Z');
const END_SHOWN_MS = Date.parse('+010000-01-01T00:00:00Z');

/** Converts instants of the trail to the clock of one IANA time zone, including daylight saving time. */
export class ZoneClock {
  readonly zone: string;
  // Offsets by the number of a stretch; null: the offset changes within it. Intl costs microseconds for each
  // call, and an export needs the same days repeatedly.
  readonly #ofDays = new Map<number, Offset | null>();
  readonly #ofBuckets = new Map<number, Offset | null>();

  constructor(zone: string) {
    this.zone = zone;
  }

  /**
   * Converts an instant with microseconds in UTC. Returns undefined for other text, such as `infinity`, which
   * is then shown as it is.
   */
  local(instant: string): LocalTime | undefined {
    const match = INSTANT.exec(instant);
    if (match === null) return undefined;
    const utcMs = Date.parse(`${instant.slice(0, 23)}Z`);
    if (Number.isNaN(utcMs)) return undefined;
    const { ms, text: offset } = this.offsetOf(utcMs);
    const localMs = utcMs + ms;
    return {
      text: `${new Date(localMs).toISOString().slice(0, -1)}${match[7]!.slice(3)}`,
      offset,
      localMs,
    };
  }

  /**
   * Returns an instant as RFC 3339 with the zone's offset. If it cannot be converted, it is returned as it
   * is.
   */
  rfc3339(instant: string): string {
    const local = this.local(instant);
    return local === undefined ? instant : `${local.text}${local.offset}`;
  }

  /** Returns the zone's offset at an instant, as `+02:00`; empty if the instant cannot be converted. */
  offset(instant: string): string {
    return this.local(instant)?.offset ?? '';
  }

  /** Returns the offset at an instant in milliseconds since 1970. */
  offsetOf(utcMs: number): Offset {
    return (
      this.#ofStretch(utcMs, { lengthMs: DAY_MS, known: this.#ofDays }) ??
      this.#ofStretch(utcMs, { lengthMs: BUCKET_MS, known: this.#ofBuckets }) ??
      this.#askedOffset(utcMs)
    );
  }

  /** Returns the offset at an instant in milliseconds since 1970, as `+02:00`. */
  offsetAt(utcMs: number): string {
    return this.offsetOf(utcMs).text;
  }

  /**
   * Returns what the clock shows for a timestamptz that PostgreSQL printed, with the same fraction:
   * `2026-10-25 02:30:00.5 +02:00`. Returns null if the clock shows the printed time. Also returns null if
   * the text is not a time that a clock shows, such as `infinity`, a year before Christ or a masked value.
   */
  printed(text: string): string | null {
    const match = PRINTED.exec(text);
    if (match === null) return null;
    const [
      ,
      year,
      month,
      day,
      hour,
      minute,
      second,
      fraction = '',
      sign,
      hours,
      minutes = '0',
      seconds = '0',
    ] = match;
    const shownMs = Date.parse(`${year!}-${month!}-${day!}T${hour!}:${minute!}:${second!}Z`);
    const ahead = ((Number(hours) * 60 + Number(minutes)) * 60 + Number(seconds)) * 1_000;
    const printedMs = sign === '-' ? -ahead : ahead;
    if (Number.isNaN(shownMs)) return null;
    const offset = this.offsetOf(shownMs - printedMs);
    const localMs = shownMs - printedMs + offset.ms;
    if (offset.ms === printedMs || localMs < FIRST_SHOWN_MS || localMs >= END_SHOWN_MS) return null;
    return `${new Date(localMs).toISOString().slice(0, 19).replace('T', ' ')}${fraction} ${offset.text}`;
  }

  /** Returns the offsets during a range, at most `limit`, each with its first instant in milliseconds. */
  offsetsIn(range: TimeRange, limit: number): { readonly sinceMs: number; readonly offset: string }[] {
    const end = Date.parse(range.to);
    let at = Date.parse(range.from);
    const found = [{ sinceMs: at, offset: this.offsetAt(at) }];
    while (at < end && found.length < limit) {
      // No zone changes twice within a day. So if the offsets at both ends are equal, it does not change
      // between them.
      const next = Math.min(at + DAY_MS, end);
      const current = found[found.length - 1]!.offset;
      if (this.offsetAt(next) !== current) {
        const sinceMs = this.#changeBetween(at, next, current);
        if (sinceMs < end) found.push({ sinceMs, offset: this.offsetAt(sinceMs) });
      }
      at = next;
    }
    return found;
  }

  /**
   * Returns the offset of the whole stretch around an instant; null: it changes there. No zone changes twice
   * within a day.
   */
  #ofStretch(
    utcMs: number,
    { lengthMs, known }: { readonly lengthMs: number; readonly known: Map<number, Offset | null> },
  ): Offset | null {
    const number = Math.floor(utcMs / lengthMs);
    let offset = known.get(number);
    if (offset === undefined) {
      const first = this.#askedOffset(number * lengthMs);
      const last = this.#askedOffset((number + 1) * lengthMs - 1);
      if (known.size >= MOST_STRETCHES) known.clear();
      known.set(number, (offset = first.ms === last.ms ? first : null));
    }
    return offset;
  }

  #askedOffset(utcMs: number): Offset {
    const ms = offsetAt(utcMs, this.zone);
    return { ms, text: offsetText(ms) };
  }

  #changeBetween(fromMs: number, toMs: number, before: string): number {
    let low = Math.floor(fromMs / BUCKET_MS);
    let high = Math.ceil(toMs / BUCKET_MS);
    while (high - low > 1) {
      const middle = Math.floor((low + high) / 2);
      if (this.offsetAt(middle * BUCKET_MS) === before) low = middle;
      else high = middle;
    }
    return high * BUCKET_MS;
  }
}
