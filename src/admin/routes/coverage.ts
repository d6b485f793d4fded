import type { Answer } from '../../api/answers.js';
import type { CaptureStatus } from '../../pipeline/capture-status.js';

type Coverage = Answer<'EntryPage'>['coverage'];

/**
 * Adds what capture knows in this process to what the trail says: its state, and the time up to which
 * everything is stored, which the trail learns every ten seconds only. While another process captures, the
 * trail alone is asked.
 */
export function withCapture(coverage: Coverage, capture: CaptureStatus | null): Coverage {
  if (capture === null || capture.state === 'standby') return coverage;
  const { state, currentUntil } = capture;
  return { ...coverage, until: later(coverage.until, currentUntil), capture: state };
}

/** Instants of one form compare as text. */
const later = (one: string | null, other: string | null): string | null =>
  one === null || (other !== null && other > one) ? other : one;
