import type { Answer } from '../../api/answers.js';
import type { ExportQueueStatus } from '../../exports/queue.js';
import type { CaptureStatus } from '../../pipeline/capture-status.js';

/** The part of the status that does not change while the daemon runs. */
export type DaemonFacts = Omit<
  Answer<'Status'>,
  'capture' | 'trail' | 'coverage' | 'gaps' | 'gapsVersion' | 'exportQueue'
>;

/**
 * Returns what capture is doing in this process. Null if this process does not capture, or if capture has not
 * begun.
 */
export type CaptureStatusSource = () => CaptureStatus | null;

/** Injection token of {@link CaptureStatusSource}. */
export const CAPTURE_STATUS = Symbol('waltrail.captureStatus');

/** Returns whether the export queue works. Null in a process that does not use it. */
export type QueueStatusSource = () => ExportQueueStatus | null;

/** Injection token of {@link QueueStatusSource}. */
export const QUEUE_STATUS = Symbol('waltrail.queueStatus');

/** Injection token of {@link DaemonFacts}. */
export const FACTS = Symbol('waltrail.facts');

/** Returns the longest range of a report, with the time zone of the request or, without one, of `reports`. */
export const rangeLimit = (
  { maxRangeMs, maxRangeDays, timezone }: DaemonFacts,
  requested: string | undefined,
): Pick<DaemonFacts, 'maxRangeMs' | 'maxRangeDays' | 'timezone'> => ({
  maxRangeMs,
  maxRangeDays,
  timezone: requested ?? timezone,
});
