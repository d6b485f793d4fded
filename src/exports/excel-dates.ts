import type { ByteWriter } from './byte-writer.js';

const DAY_MS = 86_400_000;
const EPOCH_MS = Date.UTC(1899, 11, 30);
/** Excel believes in February 29, 1900: its day numbers are right from March 1 on only. */
const FIRST_MS = Date.UTC(1900, 2, 1);
const END_MS = Date.UTC(10_000, 0, 1);
/** Decimals, in two halves that are integers of 32 bits each. The last one is 0.01 ms. */
const HALF_DIGITS = 5;
const HALF = 10 ** HALF_DIGITS;
const POINT = 0x2e;

/** Whether Excel shows the date correctly of milliseconds since 1970 on the clock of a zone. */
export const isExcelDate = (localMs: number): boolean => localMs >= FIRST_MS && localMs < END_MS;

/** Writes the number that Excel has for such a date: days since 1899-12-30, with ten decimals. */
export function writeExcelDate(localMs: number, out: ByteWriter): void {
  const ms = localMs - EPOCH_MS;
  const days = Math.floor(ms / DAY_MS);
  const fraction = fractionOf(ms - days * DAY_MS);
  const high = Math.floor(fraction / HALF);
  out.integer(days);
  out.byte(POINT);
  out.padded(high, HALF_DIGITS);
  out.padded(fraction - high * HALF, HALF_DIGITS);
}

/** Returns what {@link writeExcelDate} writes. */
export function excelDate(localMs: number): string {
  const ms = localMs - EPOCH_MS;
  const days = Math.floor(ms / DAY_MS);
  return `${days}.${String(fractionOf(ms - days * DAY_MS)).padStart(2 * HALF_DIGITS, '0')}`;
}

/** Below one also of the last millisecond, which is 0.99999998843 of a day. */
const fractionOf = (msOfDay: number): number => Math.round((msOfDay / DAY_MS) * HALF * HALF);
