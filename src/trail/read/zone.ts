import { offsetAt } from '../../zone-offset.js';

/** Arithmetic with the clock of an IANA time zone: from instants to local times and back. */
const DAY_MS = 86_400_000;

/**
 * Returns midnight of a date in a zone. The date is given as its midnight in UTC, in milliseconds since 1970.
 * If a clock change skips midnight, the day begins after the change. If midnight occurs twice, the first one
 * counts.
 */
export const midnight = (utcMidnightMs: number, zone: string): number =>
  shownAt(utcMidnightMs, zone) ?? utcMidnightMs - offsetAt(utcMidnightMs - DAY_MS, zone);

/**
 * Returns the instant that lies `days` calendar days before another and has the same local time. If that time
 * occurs twice, the first one counts. If a clock change skips it, the earlier of its two interpretations
 * counts.
 */
export function daysBefore(instantMs: number, { days, zone }: { days: number; zone: string }): number {
  const wallMs = instantMs + offsetAt(instantMs, zone) - days * DAY_MS;
  return shownAt(wallMs, zone) ?? wallMs - offsetAt(wallMs + DAY_MS, zone);
}

/**
 * Returns the first instant at which the clock shows a local time, which is given as if it were UTC. Returns
 * undefined if the clock skips it.
 */
function shownAt(wallMs: number, zone: string): number | undefined {
  // No zone changes its clock twice within two days.
  const offsets = [offsetAt(wallMs - DAY_MS, zone), offsetAt(wallMs + DAY_MS, zone)];
  const shown = offsets
    .map((offset) => wallMs - offset)
    .filter((instant) => instant + offsetAt(instant, zone) === wallMs);
  return shown.length === 0 ? undefined : Math.min(...shown);
}
