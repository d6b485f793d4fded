import { formatLsn, type Lsn } from '../../pg/lsn.js';
import { OWN, TRACKING_TABLE, type Notice, type RelationVersion } from '../../pipeline/ports.js';
import { gapSummary } from '../gap-summary.js';
import { endStatement, toldStatement, type OpenGap } from './gaps.js';

/** OID of the type text. */
const TEXT = 25;

// The columns equal those of trail.write_event in sql/trail/0005_gaps.sql, so that both use the same relation
// version.
const relation = (table: string, columns: readonly string[]): RelationVersion => ({
  schema: OWN,
  table,
  columns: columns.map((name) => ({ name, type: TEXT })),
});
const GAP = relation('gap', ['code', 'tables', 'from_lsn', 'to_lsn', 'last_entry_at']);

/** Creates the entry that records a gap of a table. */
export const gapNotice = (gap: OpenGap): Notice => ({
  ...gapEntry(gap, null),
  action: 'gap',
  entityName: gapSummary(gap.code),
  seq: -2 * gap.id,
  statement: (entryId) => toldStatement(gap.id, entryId),
});

/**
 * Why a gap of a table ends: the table is captured completely again, it no longer exists, or the YAML no
 * longer tracks it.
 */
export type TableGapEnd = 'captured' | 'gone' | 'untracked';

/** Names of the entries that record the end of a gap. */
export const ENDS: Readonly<Record<TableGapEnd, string>> = {
  captured: 'The table is captured again',
  gone: 'The table no longer exists',
  untracked: 'The table is no longer tracked',
};

/**
 * Creates the entry that records where and why a gap ended. Changes committed from `toLsn` on are not
 * missing.
 */
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

/** Creates the entry for a change of tracking that lost no changes. `subject` is the table. */
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
