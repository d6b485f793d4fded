import type { Answer } from '../../api/answers.js';
import type { ExportQueueStatus } from '../../exports/queue.js';
import type { CaptureStatus } from '../../pipeline/capture-status.js';

/** The part of the status that does not change while the daemon runs. */
export type DaemonFacts = Omit<Answer<'Status'>, 'capture' | 'trail' | 'gaps' | 'exportQueue'>;

/** What capture is doing in this process; null where it does not capture, and before it has begun. */
export type CaptureStatusSource = () => CaptureStatus | null;

/** Injection token of {@link CaptureStatusSource}. */
export const CAPTURE_STATUS = Symbol('waltrail.captureStatus');

/** Whether the queue of exports works; null in a process that has no use for one. */
export type QueueStatusSource = () => ExportQueueStatus | null;

/** Injection token of {@link QueueStatusSource}. */
export const QUEUE_STATUS = Symbol('waltrail.queueStatus');

/** Injection token of {@link DaemonFacts}. */
export const FACTS = Symbol('waltrail.facts');
