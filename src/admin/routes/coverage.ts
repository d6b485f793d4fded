import type { Answer } from '../../api/answers.js';
import type { CaptureStatus } from '../../pipeline/capture-status.js';

type Coverage = Answer<'EntryPage'>['coverage'];

/**
 * Adds what capture knows in this process to the trail's coverage: its state, and the time up to which
 * everything is stored. The trail is told that time only every ten seconds. While another process captures,
 * only the trail's coverage is used.
 */
export function withCapture(coverage: Coverage, capture: CaptureStatus | null): Coverage {
  if (capture === null || capture.state === 'standby') return coverage;
  const { state, currentUntil } = capture;
  return { ...coverage, until: later(coverage.until, currentUntil), capture: state };
}

/** Returns the later instant. Instants of the same format compare as text. */
const later = (one: string | null, other: string | null): string | null =>
  one === null || (other !== null && other > one) ? other : one;
