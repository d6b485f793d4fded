import type { ByteWriter } from './byte-writer.js';

const DAY_MS = 86_400_000;
const EPOCH_MS = Date.UTC(1899, 11, 30);
/** First date with a correct day number. Excel has a February 29, 1900, which did not exist. */
const FIRST_MS = Date.UTC(1900, 2, 1);
const END_MS = Date.UTC(10_000, 0, 1);
/** Decimals, written as two halves, each an integer of 32 bits. The last decimal is about 0.01 ms. */
const HALF_DIGITS = 5;
const HALF = 10 ** HALF_DIGITS;
const POINT = 0x2e;

/** True if Excel shows the date correctly. The argument is milliseconds since 1970 on the clock of a zone. */
export const isExcelDate = (localMs: number): boolean => localMs >= FIRST_MS && localMs < END_MS;

/** Writes Excel's number for such a date: days since 1899-12-30, with ten decimals. */
export function writeExcelDate(localMs: number, out: ByteWriter): void {
  const fraction = fractionOf(localMs);
  const high = Math.floor(fraction / HALF);
  out.integer(dayOf(localMs));
  out.byte(POINT);
  out.padded(high, HALF_DIGITS);
  out.padded(fraction - high * HALF, HALF_DIGITS);
}

/** Returns what {@link writeExcelDate} writes. */
export const excelDate = (localMs: number): string =>
  `${dayOf(localMs)}.${String(fractionOf(localMs)).padStart(2 * HALF_DIGITS, '0')}`;

const dayOf = (localMs: number): number => Math.floor((localMs - EPOCH_MS) / DAY_MS);

/**
 * Returns the part of the day, in units of the last decimal. It stays below a full day, because the last
 * millisecond is at 0.99999998843 of a day.
 */
const fractionOf = (localMs: number): number =>
  Math.round((((localMs - EPOCH_MS) % DAY_MS) / DAY_MS) * HALF * HALF);
