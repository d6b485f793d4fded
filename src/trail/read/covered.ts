import type { TrailCoverage } from './entry.js';
import type { TimeRange } from './range.js';

/** Part of a range that the trail does not cover. */
export interface MissingPart extends TimeRange {
  /**
   * `before`: recording had not begun. `dropped`: removed by the retention. `after`: later than the time up
   * to which the trail is current. `unknown`: that time is not known, so the trail may have all, some or none
   * of the part.
   */
  readonly why: 'before' | 'dropped' | 'after' | 'unknown';
}

/**
 * Cuts a range to the part that the trail covers. Both ends are null if that is nothing. Only `to` is null if
 * it is not known up to which time the trail is current. This is so after an upgrade, until capture has
 * examined the source. The part of the range in the future does not count as missing.
 */
export function coveredPart(
  range: TimeRange,
  { since, droppedBefore, until, asOf }: TrailCoverage,
): { readonly from: string | null; readonly to: string | null; readonly missing: readonly MissingPart[] } {
  // Instants of the same format can be compared as text.
  const isDropped = droppedBefore !== null && (since === null || droppedBefore > since);
  const begins = (isDropped ? droppedBefore : since) ?? asOf;
  const ends = until ?? begins;
  const over = earlier(range.to, asOf);
  const from = range.from < begins ? begins : range.from;
  const to = earlier(over, ends);
  const missing: MissingPart[] = [];
  // What was not recorded was not dropped either.
  const began = isDropped ? (since ?? '') : begins;
  if (range.from < began) missing.push({ why: 'before', from: range.from, to: earlier(began, range.to) });
  const kept = range.from < began ? began : range.from;
  if (kept < begins && kept < range.to)
    missing.push({ why: 'dropped', from: kept, to: earlier(begins, range.to) });
  const after = range.from > ends ? range.from : ends;
  const isUnknown = until === null && since !== null;
  if (after < over) missing.push({ why: isUnknown ? 'unknown' : 'after', from: after, to: over });
  if (isUnknown) return { from: from < over ? from : null, to: null, missing };
  return from < to ? { from, to, missing } : { from: null, to: null, missing };
}

const earlier = (one: string, other: string): string => (one < other ? one : other);
