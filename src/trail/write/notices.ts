import { formatLsn, type Lsn } from '../../pg/lsn.js';
import { OWN, TRACKING_TABLE, type Notice, type RelationVersion } from '../../pipeline/ports.js';
import { gapSummary } from '../gap-summary.js';
import { endStatement, toldStatement, type OpenGap } from './gaps.js';

/** OID of text. */
const TEXT = 25;

// The columns are those of trail.write_event in sql/trail/0005_gaps.sql, so that both write rows of one
// relation version.
const relation = (table: string, columns: readonly string[]): RelationVersion => ({
  schema: OWN,
  table,
  columns: columns.map((name) => ({ name, type: TEXT })),
});
const GAP = relation('gap', ['code', 'tables', 'from_lsn', 'to_lsn', 'last_entry_at']);

/** Makes the entry that records a gap of a table. */
export const gapNotice = (gap: OpenGap): Notice => ({
  ...gapEntry(gap, null),
  action: 'gap',
  entityName: gapSummary(gap.code),
  seq: -2 * gap.id,
  statement: (entryId) => toldStatement(gap.id, entryId),
});

/**
 * Why a gap of a table ends: the table is captured completely again, no longer exists, or is no longer
 * tracked by the YAML.
 */
export type TableGapEnd = 'captured' | 'gone' | 'untracked';

/** Names of the entries that say so. */
export const ENDS: Readonly<Record<TableGapEnd, string>> = {
  captured: 'The table is captured again',
  gone: 'The table is gone',
  untracked: 'The table is tracked no more',
};

/** Makes the entry that says where and why a gap ended: changes committed from `toLsn` on are not missing. */
export const gapClosedNotice = (
  gap: OpenGap,
  { end, toLsn }: { readonly end: TableGapEnd; readonly toLsn: Lsn },
): Notice => ({
  ...gapEntry(gap, toLsn),
  action: 'gap_closed',
  entityName: ENDS[end],
  seq: 1 - 2 * gap.id,
  statement: () => endStatement(gap.id, toLsn),
});

/** Makes the entry of a change of the tracking in which nothing was lost. `subject` is the table. */
export const trackingNotice = (change: {
  readonly subject: string;
  readonly before: string;
  readonly after: string;
  readonly lsn: Lsn;
}): Notice => ({
  relation: TRACKING_TABLE,
  action: 'tracking',
  entityId: null,
  entityName: change.subject,
  previous: [change.before],
  updated: [change.after],
  lsn: change.lsn,
  seq: null,
  statement: null,
});

function gapEntry(
  { id, code, tables, fromLsn, lastEntryAt }: OpenGap,
  toLsn: Lsn | null,
): Pick<Notice, 'relation' | 'entityId' | 'previous' | 'updated' | 'lsn'> {
  return {
    relation: GAP,
    entityId: String(id),
    previous: null,
    updated: [
      code,
      tables?.join(', ') ?? null,
      formatLsn(fromLsn),
      toLsn === null ? null : formatLsn(toLsn),
      lastEntryAt,
    ],
    lsn: fromLsn,
  };
}
