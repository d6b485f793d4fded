import { instantText } from '../trail/read/row-bytes.js';
import type { ByteWriter } from './byte-writer.js';
import type { ZoneClock } from './dates.js';
import { Piece } from './piece.js';

/**
 * A quarter of an hour. Offsets of usual zones are multiples of it, so the clock's date and hour do not
 * change within one.
 */
const QUARTER_MICROS = 900_000_000;
const MINUTE_MICROS = 60_000_000;
const SECOND_MICROS = 1_000_000;
const QUARTER_MINUTES = 15;
const COLON = 0x3a;
const POINT = 0x2e;

/** What the clock shows during a quarter of an hour. */
interface Quarter {
  /**
   * The text before the minutes, as `2026-10-25T02:`. The text after the fraction is the offset, as `+02:00`.
   */
  readonly before: Piece;
  readonly after: Piece;
  /** The text of `after`. */
  readonly offset: string;
  /** Minute of the hour at which the quarter begins. */
  readonly minute: number;
  readonly localMs: number;
}

/**
 * Prints commit times of rows, in microseconds since 1970, on the clock of a zone. Successive times are close
 * to each other, so date, hour and offset are kept from one to the next.
 */
export class RowTimes {
  readonly #clock: ZoneClock;
  #number = NaN;
  /** Null: the zone's offset changes within the quarter, or is not a multiple of a quarter of an hour. */
  #quarter: Quarter | null = null;

  constructor(clock: ZoneClock) {
    this.#clock = clock;
  }

  /** Writes a time as `ZoneClock.rfc3339` returns it. */
  write(micros: number, out: ByteWriter): void {
    const quarter = this.#quarterOf(micros);
    if (quarter === null) return out.text(this.#clock.rfc3339(instantText(micros)));
    const inQuarter = micros - this.#number * QUARTER_MICROS;
    const minutes = Math.floor(inQuarter / MINUTE_MICROS);
    const inMinute = inQuarter - minutes * MINUTE_MICROS;
    const seconds = Math.floor(inMinute / SECOND_MICROS);
    out.piece(quarter.before);
    out.padded(quarter.minute + minutes, 2);
    out.byte(COLON);
    out.padded(seconds, 2);
    out.byte(POINT);
    out.padded(inMinute - seconds * SECOND_MICROS, 6);
    out.piece(quarter.after);
  }

  /** Returns the zone's offset at a time, as `ZoneClock.offset` does. */
  offset(micros: number): string {
    return this.#quarterOf(micros)?.offset ?? this.#clock.offset(instantText(micros));
  }

  /** Writes the zone's offset at a time. */
  writeOffset(micros: number, out: ByteWriter): void {
    const quarter = this.#quarterOf(micros);
    if (quarter === null) out.text(this.#clock.offset(instantText(micros)));
    else out.piece(quarter.after);
  }

  /**
   * Returns what the clock shows at a time, as `localMs` of `ZoneClock.local`; NaN if no clock shows the
   * time.
   */
  localMs(micros: number): number {
    const quarter = this.#quarterOf(micros);
    if (quarter === null) return this.#clock.local(instantText(micros))?.localMs ?? NaN;
    return quarter.localMs + Math.floor((micros - this.#number * QUARTER_MICROS) / 1000);
  }

  #quarterOf(micros: number): Quarter | null {
    const number = Math.floor(micros / QUARTER_MICROS);
    if (number === this.#number) return this.#quarter;
    this.#number = number;
    return (this.#quarter = this.#shown(number * QUARTER_MICROS));
  }

  #shown(micros: number): Quarter | null {
    const local = this.#clock.local(instantText(micros));
    const lastMs = (micros + QUARTER_MICROS) / 1000 - 1;
    if (local === undefined || !isInQuarters(local.offset) || this.#clock.offsetAt(lastMs) !== local.offset)
      return null;
    const { text } = local;
    return {
      before: new Piece(text.slice(0, 'yyyy-mm-ddThh:'.length)),
      after: new Piece(local.offset),
      offset: local.offset,
      minute: Number(text.slice(14, 16)),
      localMs: Date.parse(`${text.slice(0, 23)}Z`),
    };
  }
}

/** True if an offset is a multiple of a quarter of an hour. An offset with seconds has a longer text. */
const isInQuarters = (offset: string): boolean =>
  offset.length === 6 && Number(offset.slice(4)) % QUARTER_MINUTES === 0;
