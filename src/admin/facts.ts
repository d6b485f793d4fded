import type { ExportQueueStatus } from '../exports/queue.js';
import type { Role } from '../settings.js';

/** What does not change while the daemon runs, for answers that describe it. */
export interface DaemonFacts {
  readonly version: string;
  readonly roles: readonly Role[];
  /** RFC 3339. */
  readonly startedAt: string;
  /** `source.name` of the YAML. */
  readonly source: string;
  readonly maxRangeMs: number;
  /** IANA name of the reports' time zone. */
  readonly timezone: string;
  /** Null: entries are kept for ever. */
  readonly retentionDays: number | null;
  /** Where the export queue runs. */
  readonly queue: 'postgres' | 'redis';
}

/** Whether the queue of exports works; null in a process that has no use for one. */
export type QueueStatusSource = () => ExportQueueStatus | null;

/** Injection token of {@link QueueStatusSource}. */
export const QUEUE_STATUS = Symbol('waltrail.queueStatus');

/** Injection token of {@link DaemonFacts}. */
export const FACTS = Symbol('waltrail.facts');
