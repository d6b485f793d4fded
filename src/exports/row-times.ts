import { instantText } from '../trail/read/row-bytes.js';
import type { ByteWriter } from './byte-writer.js';
import { FIRST_SERIAL, END_SERIAL, serialOf, type ZoneClock } from './dates.js';

const MINUTE_MICROS = 60_000_000;
const SECOND_MICROS = 1_000_000;

/**
 * Prints commit times of rows, which are microseconds since 1970, on the clock of a zone. Times follow each
 * other closely, so everything but seconds is kept from one to the next.
 */
export class RowTimes {
  readonly #clock: ZoneClock;
  #minute = NaN;
  /** `2026-10-25T02:30:` and `+02:00`; null: the zone's offset has seconds, so its minutes are others. */
  #known: { readonly before: Uint8Array; readonly after: Uint8Array; readonly localMs: number } | null = null;

  constructor(clock: ZoneClock) {
    this.#clock = clock;
  }

  /** Writes a time as `ZoneClock.rfc3339` gives it. */
  write(micros: number, out: ByteWriter): void {
    const minute = Math.floor(micros / MINUTE_MICROS);
    this.#goTo(minute);
    if (this.#known === null) return out.text(this.#clock.rfc3339(instantText(micros)));
    const rest = micros - minute * MINUTE_MICROS;
    const seconds = Math.floor(rest / SECOND_MICROS);
    out.piece(this.#known.before);
    out.padded(seconds, 2);
    out.byte(0x2e);
    out.padded(rest - seconds * SECOND_MICROS, 6);
    out.piece(this.#known.after);
  }

  /** Writes the zone's offset at a time. */
  writeOffset(micros: number, out: ByteWriter): void {
    this.#goTo(Math.floor(micros / MINUTE_MICROS));
    if (this.#known === null) out.text(this.#clock.offset(instantText(micros)));
    else out.piece(this.#known.after);
  }

  /** The serial number of a time in Excel; undefined as that of `ZoneClock.local`. */
  serial(micros: number): number | undefined {
    const minute = Math.floor(micros / MINUTE_MICROS);
    this.#goTo(minute);
    if (this.#known === null) return this.#clock.local(instantText(micros))?.serial;
    const serial = serialOf(this.#known.localMs + Math.floor((micros - minute * MINUTE_MICROS) / 1000));
    return serial >= FIRST_SERIAL && serial < END_SERIAL ? serial : undefined;
  }

  #goTo(minute: number): void {
    if (minute === this.#minute) return;
    this.#minute = minute;
    const local = this.#clock.local(instantText(minute * MINUTE_MICROS));
    this.#known =
      local?.offset.length === 6
        ? {
            before: Buffer.from(local.text.slice(0, -9)),
            after: Buffer.from(local.offset),
            localMs: Date.parse(`${local.text.slice(0, 23)}Z`),
          }
        : null;
  }
}
