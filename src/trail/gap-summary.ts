import type { ErrorCode } from '../errors.js';

const SUMMARIES: Partial<Record<ErrorCode, string>> = {
  SOURCE_CHANGED: 'Changes may be missing: the source is another database',
  SOURCE_PUBLICATION_INCOMPLETE: 'Changes may be missing: tables were not published',
  SOURCE_PUBLICATION_MISSING: 'Changes may be missing: there was no publication',
  SOURCE_REPLICA_IDENTITY: 'Previous values may be missing: a table has no full replica identity',
  SOURCE_SLOT_AHEAD: 'Changes are missing: the replication slot is ahead of the trail',
  SOURCE_SLOT_INVALID: 'Changes are missing: the source invalidated the replication slot',
  SOURCE_SLOT_LOST: 'Changes may be missing: the replication slot no longer exists',
  SOURCE_TABLE_REWRITTEN: 'Changes are missing: a table was rewritten',
  SOURCE_TIMELINE_FORKED: 'Entries may show changes that the source lost in a failover or a restore',
  SOURCE_TRANSACTION_SKIPPED: 'Changes are missing: an operator skipped a transaction',
  TRACKING_CHILD_UNTRACKED: 'Changes are missing: a table that inherits from a tracked one is not tracked',
  TRAIL_RESTORED: 'Entries are missing: the trail was restored to an older state',
};

/**
 * Returns the summary for gaps with a code. It is the name of their entries, and the title wherever they are
 * reported.
 */
export const gapSummary = (code: ErrorCode): string => SUMMARIES[code] ?? 'Changes may be missing';
