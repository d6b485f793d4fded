import { POSTGRES_EPOCH_MS } from '../pg/clock.js';

/*
 * A login that may set up a replication origin can claim any commit time for a transaction, also infinity
 * (pg_replication_origin_xact_setup). All readers accept years of four digits only. Instead of a time outside
 * of these years, the last accepted time is stored, and the entries state the claimed time (DECISIONS 38).
 */

/**
 * Limits of the upper 32 bits of a time in microseconds since 2000-01-01. They begin within the first 72
 * minutes of year 1 and end within the last 72 minutes of year 9999. They can be compared without a bigint.
 */
const LEAST_HIGH = Math.ceil(
  Number(BigInt(Date.parse('0001-01-01T00:00:00Z') - POSTGRES_EPOCH_MS) * 1000n) / 2 ** 32,
);
const GREATEST_HIGH =
  Math.floor(Number(BigInt(Date.parse('9999-12-31T23:59:59Z') - POSTGRES_EPOCH_MS) * 1000n) / 2 ** 32) - 1;

const INFINITY = 2n ** 63n - 1n;
const MINUS_INFINITY = -(2n ** 63n);
const DAY_US = 86_400_000_000n;
/** Days from 0000-03-01 to 2000-01-01. */
const EPOCH_DAYS = 730_425n;
const DAYS_OF_400_YEARS = 146_097n;

/** Follows the commit times of transactions, and replaces those outside the limits. */
export class CommitTimes {
  /** Commit LSN (8 bytes), commit time (8) and xid (4) of a transaction whose claimed time was replaced. */
  readonly bounded = Buffer.alloc(20);
  /** The last accepted commit time: microseconds since 2000-01-01, 8 bytes. */
  readonly #last = Buffer.alloc(8);

  /**
   * @param last commit time of the last stored transaction; null: there is none, and this machine's clock is
   *   used
   */
  constructor(last: bigint | null) {
    this.#last.writeBigInt64BE(last ?? BigInt(Date.now() - POSTGRES_EPOCH_MS) * 1000n);
  }

  /**
   * Takes the time of a transaction that begins. `bytes` from `at` have the layout of `bounded`. Returns null
   * if the time can be stored. Otherwise returns the claimed time, and `bounded` is to be stored.
   */
  begin(bytes: Buffer, at: number): string | null {
    const last = this.#last;
    // Shifting is several times faster than Buffer's checked readers.
    const high = (bytes[at + 8]! << 24) | (bytes[at + 9]! << 16) | (bytes[at + 10]! << 8) | bytes[at + 11]!;
    if (high >= LEAST_HIGH && high <= GREATEST_HIGH) {
      for (let index = 0; index < 8; index++) last[index] = bytes[at + 8 + index]!;
      return null;
    }
    bytes.copy(this.bounded, 0, at, at + 20);
    last.copy(this.bounded, 8);
    return timeText(bytes.readBigInt64BE(at + 8));
  }

  /**
   * Returns the end LSN (8 bytes) and the replaced commit time (8) of a transaction. `bytes` has the claimed
   * time.
   */
  end(bytes: Buffer, at: number): Buffer {
    return Buffer.concat([bytes.subarray(at, at + 8), this.#last]);
  }
}

/**
 * Prints a time as PostgreSQL prints a timestamptz in UTC: `infinity`, `294276-12-31 23:59:59.999999+00`,
 * `0044-03-15 12:00:00+00 BC`.
 */
export function timeText(micros: bigint): string {
  if (micros === INFINITY) return 'infinity';
  if (micros === MINUS_INFINITY) return '-infinity';
  const inDay = ((micros % DAY_US) + DAY_US) % DAY_US;
  const { year, month, day } = dateOf((micros - inDay) / DAY_US);
  const two = (number: bigint): string => String(number).padStart(2, '0');
  const seconds = inDay / 1_000_000n;
  const fraction = String(inDay % 1_000_000n)
    .padStart(6, '0')
    .replace(/0+$/, '');
  const shown = String(year > 0n ? year : 1n - year).padStart(4, '0');
  const time = [seconds / 3600n, (seconds / 60n) % 60n, seconds % 60n].map(two).join(':');
  return `${shown}-${two(month)}-${two(day)} ${time}${fraction === '' ? '' : `.${fraction}`}+00${year > 0n ? '' : ' BC'}`;
}

/**
 * Returns the Gregorian date of a day since 2000-01-01. `Date` supports years up to 275760 only. In this
 * computation, years begin in March.
 */
function dateOf(daysSince2000: bigint): {
  readonly year: bigint;
  readonly month: bigint;
  readonly day: bigint;
} {
  const days = daysSince2000 + EPOCH_DAYS;
  const inEra = ((days % DAYS_OF_400_YEARS) + DAYS_OF_400_YEARS) % DAYS_OF_400_YEARS;
  const era = (days - inEra) / DAYS_OF_400_YEARS;
  const yearOfEra = (inEra - inEra / 1460n + inEra / 36_524n - inEra / 146_096n) / 365n;
  const inYear = inEra - (365n * yearOfEra + yearOfEra / 4n - yearOfEra / 100n);
  const marchMonth = (5n * inYear + 2n) / 153n;
  const month = marchMonth < 10n ? marchMonth + 3n : marchMonth - 9n;
  return {
    year: era * 400n + yearOfEra + (month <= 2n ? 1n : 0n),
    month,
    day: inYear - (153n * marchMonth + 2n) / 5n + 1n,
  };
}
