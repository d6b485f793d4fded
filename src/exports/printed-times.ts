import type { ByteWriter } from './byte-writer.js';
import type { ZoneClock } from './dates.js';
import { Piece } from './piece.js';

const MINUS = 0x2d;
const PLUS = 0x2b;
const COLON = 0x3a;
const POINT = 0x2e;
const SPACE = 0x20;
const ZERO = 0x30;
/** Lengths of a time without a fraction, as `2026-10-25 00:30:00`, and of the offset at its end, as `+00`. */
const SECONDS_LENGTH = 19;
const OFFSET_LENGTH = 3;
const MOST_FRACTION = 7;
const DAY_MS = 86_400_000;
const HOUR_MS = 3_600_000;
const MINUTE_MS = 60_000;
/** Years in which the clocks of all zones show a year from 1 to 9999. */
const FIRST_YEAR = 100;
const END_YEAR = 9_999;

/**
 * Outcome of writing a time. `clock`: it was written as on the clock. `printed`: nothing was written, because
 * the clock shows what was printed. `unknown`: the time has to become a string.
 */
export type Shown = 'clock' | 'printed' | 'unknown';

/**
 * Writes times in values, as PostgreSQL printed them, on the clock of a zone. The result is that of
 * `ZoneClock.printed`, but from bytes. Only offsets of whole hours are handled here, other forms are left to
 * that function.
 */
export class PrintedTimes {
  readonly #clock: ZoneClock;
  #day = NaN;
  /** Text of the day that was written last, as `2026-10-25 `. */
  #dayText = Piece.EMPTY;
  #offsetMs = NaN;
  #offsetText = Piece.EMPTY;

  constructor(clock: ZoneClock) {
    this.#clock = clock;
  }

  write(bytes: Uint8Array, start: number, end: number, out: ByteWriter): Shown {
    const offsetAt = end - OFFSET_LENGTH;
    const fractionAt = start + SECONDS_LENGTH;
    if (offsetAt < fractionAt || offsetAt > fractionAt + MOST_FRACTION || !isTime(bytes, start, offsetAt))
      return 'unknown';
    const year = number(bytes, start, start + 4);
    const month = two(bytes, start + 5);
    const day = two(bytes, start + 8);
    const hour = two(bytes, start + 11);
    const minute = two(bytes, start + 14);
    const isUsual =
      year >= FIRST_YEAR && year < END_YEAR && month >= 1 && month <= 12 && day >= 1 && day <= 31;
    if (!isUsual || hour > 23 || minute > 59 || two(bytes, start + 17) > 59) return 'unknown';
    const printedMs = (bytes[offsetAt] === MINUS ? -1 : 1) * two(bytes, offsetAt + 1) * HOUR_MS;
    const shownMs = Date.UTC(year, month - 1, day, hour, minute);
    const { ms: offsetMs, text } = this.#clock.offsetOf(shownMs - printedMs);
    if (offsetMs === printedMs) return 'printed';
    if (offsetMs % MINUTE_MS !== 0) return 'unknown';
    const localMs = shownMs - printedMs + offsetMs;
    const localDay = Math.floor(localMs / DAY_MS);
    if (localDay !== this.#day) {
      this.#day = localDay;
      this.#dayText = new Piece(`${new Date(localMs).toISOString().slice(0, 10)} `);
    }
    if (offsetMs !== this.#offsetMs) {
      this.#offsetMs = offsetMs;
      this.#offsetText = new Piece(` ${text}`);
    }
    const minutes = Math.floor((localMs - localDay * DAY_MS) / MINUTE_MS);
    const hours = Math.floor(minutes / 60);
    out.piece(this.#dayText);
    out.padded(hours, 2);
    out.byte(COLON);
    out.padded(minutes - hours * 60, 2);
    // Seconds and their fraction are the same on both clocks.
    out.range(bytes, start + 16, offsetAt);
    out.piece(this.#offsetText);
    return 'clock';
  }
}

/**
 * True if the bytes are `dddd-dd-dd dd:dd:dd` with or without a fraction, followed by a sign and two digits.
 */
function isTime(bytes: Uint8Array, start: number, offsetAt: number): boolean {
  const isInPlace =
    bytes[start + 4] === MINUS &&
    bytes[start + 7] === MINUS &&
    bytes[start + 10] === SPACE &&
    bytes[start + 13] === COLON &&
    bytes[start + 16] === COLON &&
    (bytes[offsetAt] === PLUS || bytes[offsetAt] === MINUS);
  const fractionAt = start + SECONDS_LENGTH;
  if (!isInPlace || (offsetAt > fractionAt && (bytes[fractionAt] !== POINT || offsetAt === fractionAt + 1)))
    return false;
  for (const place of DIGITS) if (!isDigit(bytes[start + place]!)) return false;
  for (let at = fractionAt + 1; at < offsetAt; at++) if (!isDigit(bytes[at]!)) return false;
  return isDigit(bytes[offsetAt + 1]!) && isDigit(bytes[offsetAt + 2]!);
}

const DIGITS = [0, 1, 2, 3, 5, 6, 8, 9, 11, 12, 14, 15, 17, 18];

const isDigit = (byte: number): boolean => byte >= ZERO && byte <= ZERO + 9;
const two = (bytes: Uint8Array, at: number): number => (bytes[at]! - ZERO) * 10 + bytes[at + 1]! - ZERO;

function number(bytes: Uint8Array, start: number, end: number): number {
  let value = 0;
  for (let at = start; at < end; at++) value = value * 10 + bytes[at]! - ZERO;
  return value;
}
