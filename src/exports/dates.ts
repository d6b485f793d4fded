import type { TimeRange } from '../trail/read/range.js';

/** An instant on the clock of a time zone. */
export interface LocalTime {
  /** `2026-10-25T02:30:00.123456`, the clock on the wall. */
  readonly text: string;
  /** `+02:00`; with seconds where a zone's history has them. */
  readonly offset: string;
  /**
   * Days since 1899-12-30 as Excel counts them, cut to the millisecond; undefined outside what Excel shows
   * correctly.
   */
  readonly serial: number | undefined;
}

const INSTANT = /^(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)\.(\d{6})Z$/;
const DAY_MS = 86_400_000;
const EXCEL_EPOCH_MS = Date.UTC(1899, 11, 30);
// Excel believes in February 29, 1900: its day numbers are right from March 1 on only.
export const FIRST_SERIAL = 61;
export const END_SERIAL = 2_958_466;

/**
 * Zones change their offset at multiples of a quarter of an hour, at least since the 1970s, long before any
 * trail.
 */
const BUCKET_MS = 900_000;
const MAX_BUCKETS = 10_000;

/** Converts instants of the trail to the clock of one IANA time zone, daylight saving included. */
export class ZoneClock {
  readonly zone: string;
  readonly #format: Intl.DateTimeFormat;
  // Intl costs microseconds a call, and an export asks for the same quarter of an hour again and again.
  readonly #offsets = new Map<number, string>();

  constructor(zone: string) {
    this.zone = zone;
    this.#format = new Intl.DateTimeFormat('en-US', { timeZone: zone, timeZoneName: 'longOffset' });
  }

  /** Undefined for what is no instant with microseconds in UTC, such as `infinity`: show its text. */
  local(instant: string): LocalTime | undefined {
    const match = INSTANT.exec(instant);
    if (match === null) return undefined;
    const utcMs = Date.parse(`${instant.slice(0, 23)}Z`);
    if (Number.isNaN(utcMs)) return undefined;
    const offset = this.offsetAt(utcMs);
    const localMs = utcMs + offsetMs(offset);
    const serial = serialOf(localMs);
    return {
      text: `${new Date(localMs).toISOString().slice(0, -1)}${match[7]!.slice(3)}`,
      offset,
      serial: serial >= FIRST_SERIAL && serial < END_SERIAL ? serial : undefined,
    };
  }

  /** RFC 3339 with the zone's offset; an instant that cannot be converted is returned as it is. */
  rfc3339(instant: string): string {
    const local = this.local(instant);
    return local === undefined ? instant : `${local.text}${local.offset}`;
  }

  /** The zone's offset at an instant, as `+02:00`; empty for one that cannot be converted. */
  offset(instant: string): string {
    return this.local(instant)?.offset ?? '';
  }

  /** `+02:00` at an instant in milliseconds since 1970. */
  offsetAt(utcMs: number): string {
    const bucket = Math.floor(utcMs / BUCKET_MS);
    let offset = this.#offsets.get(bucket);
    if (offset === undefined) {
      const name =
        this.#format.formatToParts(utcMs).find((part) => part.type === 'timeZoneName')?.value ?? 'GMT';
      offset = name === 'GMT' ? '+00:00' : name.slice(3);
      if (this.#offsets.size >= MAX_BUCKETS) this.#offsets.clear();
      this.#offsets.set(bucket, offset);
    }
    return offset;
  }

  /**
   * The offsets in force during a range, each with the first instant (milliseconds) it holds for; at most
   * `limit`.
   */
  offsetsIn(range: TimeRange, limit: number): { readonly sinceMs: number; readonly offset: string }[] {
    const end = Date.parse(range.to);
    let at = Date.parse(range.from);
    const found = [{ sinceMs: at, offset: this.offsetAt(at) }];
    while (at < end && found.length < limit) {
      // No zone changes twice within a day, so equal offsets at both ends mean no change between them.
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

/** Days since 1899-12-30 of milliseconds since 1970. */
export const serialOf = (localMs: number): number => (localMs - EXCEL_EPOCH_MS) / DAY_MS;

function offsetMs(offset: string): number {
  const [hours, minutes, seconds = '0'] = offset.slice(1).split(':');
  const ms = (Number(hours) * 3600 + Number(minutes) * 60 + Number(seconds)) * 1000;
  return offset.startsWith('-') ? -ms : ms;
}
