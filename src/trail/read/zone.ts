import { offsetAt } from '../../zone-offset.js';

/** The clock of an IANA time zone: what it shows at an instant, and at which instants it shows a time. */
const DAY_MS = 86_400_000;

/**
 * Returns midnight of a date, given as that of UTC in milliseconds since 1970. Where a clock change skips it,
 * the day begins behind the change; where it is repeated, with the first.
 */
export const midnight = (utcMidnightMs: number, zone: string): number =>
  shownAt(utcMidnightMs, zone) ?? utcMidnightMs - offsetAt(utcMidnightMs - DAY_MS, zone);

/**
 * Returns the instant as many calendar days before another at which the clock shows the same time: the first
 * one where it does so twice. Where it is skipped, the earlier of the two instants that it may mean.
 */
export function daysBefore(instantMs: number, { days, zone }: { days: number; zone: string }): number {
  const wallMs = instantMs + offsetAt(instantMs, zone) - days * DAY_MS;
  return shownAt(wallMs, zone) ?? wallMs - offsetAt(wallMs + DAY_MS, zone);
}

/** Returns the first instant at which the clock shows a time, given as if it were UTC. */
function shownAt(wallMs: number, zone: string): number | undefined {
  // No zone changes its clock twice within two days.
  const offsets = [offsetAt(wallMs - DAY_MS, zone), offsetAt(wallMs + DAY_MS, zone)];
  const shown = offsets
    .map((offset) => wallMs - offset)
    .filter((instant) => instant + offsetAt(instant, zone) === wallMs);
  return shown.length === 0 ? undefined : Math.min(...shown);
}
