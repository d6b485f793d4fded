import { formatLsn, type Lsn } from '../pg/lsn.js';
import type { SlotState, SourceIdentity } from '../source/slot.js';
import type { PublishedAtLsn, TableFate } from '../tracking/published.js';
import { publishedChanges, type TrackingNote } from '../tracking/published-change.js';
import type { TrackingConfig } from '../tracking/rules.js';
import type { Checkpoint } from '../trail/write/checkpoint.js';
import type { FoundGap } from '../trail/write/gaps.js';

/** The source as one look found it. */
export interface SourceState {
  /** As `server_version_num`. */
  readonly version: number;
  readonly identity: SourceIdentity;
  readonly slot: SlotState | undefined;
  readonly published: PublishedAtLsn;
  /** Position after all of it was read: what is committed from here on is as the look says. */
  readonly lsn: Lsn;
  /** What became of the tables of the last look. */
  readonly fate: TableFate;
}

/** What a look says about the stretch since the last one. */
export interface Continuity {
  /** What the trail may not have, or has too much, of the whole stream: capture stops at it. */
  readonly gaps: readonly FoundGap[];
  /** Tables whose changes may not have been sent for a while. */
  readonly unpublished: readonly string[];
  /** Tables whose rows were given other values, of which nothing is sent. */
  readonly rewritten: readonly string[];
  /** What is to be recorded although nothing is missing. */
  readonly notes: readonly TrackingNote[];
  /** Notes of a failover, to be recorded when capture goes on after it. */
  readonly failover: readonly TrackingNote[];
}

/**
 * Compares the source with the trail: identity, timeline, slot, position and publication. Pure.
 * START_REPLICATION says nothing of what is found here: below the slot's position it silently skips to it, on
 * a slot that was made anew it silently begins later, and without a publication PostgreSQL 18 silently sends
 * nothing.
 *
 * @param options.knownLsn a checkpoint that this process has seen committed: a lower one was restored
 */
export function compareWithTrail(options: {
  readonly config: TrackingConfig;
  readonly checkpoint: Checkpoint;
  readonly sourceState: SourceState;
  readonly lastPublished: PublishedAtLsn | undefined;
  readonly knownLsn: Lsn | null;
}): Continuity {
  const { checkpoint, sourceState } = options;
  const { identity } = sourceState;
  if (!isSameCluster(options)) return otherCluster(checkpoint);
  const published = publishedFindings(options);
  return {
    gaps: [...timelineGaps(options), ...slotGaps(options), ...published.gaps],
    unpublished: published.unpublished,
    rewritten: published.rewritten,
    notes: published.notes,
    failover:
      identity.timeline === checkpoint.timeline
        ? []
        : [
            {
              subject: 'source',
              before: `timeline ${checkpoint.timeline}`,
              after: `timeline ${identity.timeline} from ${formatLsn(identity.leftTimelineAt!)} on`,
            },
          ],
  };
}

/**
 * Up to where the last look surely speaks for what the source has sent or will send: a gap of tables that
 * this look finds begins here. Positions behind a fork are of another history, and those of another cluster
 * mean nothing.
 */
export function coveredUntil(options: {
  readonly checkpoint: Checkpoint;
  readonly sourceState: SourceState;
  readonly lastPublished: PublishedAtLsn | undefined;
}): Lsn {
  const { checkpoint, sourceState, lastPublished } = options;
  if (!isSameCluster(options))
    return isReadable(sourceState.slot)
      ? lower(sourceState.slot.confirmedFlushLsn!, sourceState.published.lsn)
      : sourceState.published.lsn;
  const last = lastPublished?.lsn ?? checkpoint.endLsn;
  return lower(last, leftHistoryAt(options) ?? last);
}

/**
 * Where the stream has to begin so that nothing is skipped that the source can still send. Only for a slot
 * that can be read from.
 */
export function startPosition(options: {
  readonly checkpoint: Checkpoint;
  readonly sourceState: SourceState;
  readonly gaps: readonly FoundGap[];
}): Lsn {
  const { checkpoint, sourceState, gaps } = options;
  const confirmed = sourceState.slot!.confirmedFlushLsn!;
  if (!isSameCluster(options)) return confirmed;
  const start = higher(
    confirmed,
    lower(checkpoint.endLsn, leftHistoryAt({ checkpoint, sourceState }) ?? checkpoint.endLsn),
  );
  if (skipsMissing(sourceState)) return start;
  const missing = gaps.filter(({ code }) => code === 'SOURCE_PUBLICATION_MISSING');
  return missing.reduce((position, { toLsn }) => higher(position, toLsn ?? position), start);
}

/**
 * Before PostgreSQL 18 the source cannot send a change that was made while there was no publication, nor pass
 * it.
 */
const skipsMissing = ({ version }: SourceState): boolean => version >= 180_000;

/** Whether the slot is there and can be read from. */
export const isReadable = (slot: SlotState | undefined): slot is SlotState =>
  slot !== undefined && slot.invalidated === null && slot.confirmedFlushLsn !== null;

type Compared = Pick<Parameters<typeof compareWithTrail>[0], 'checkpoint' | 'sourceState'>;

/** Whether the source's history and that of the trail have a beginning in common. */
const isSameCluster = ({ checkpoint, sourceState: { identity } }: Compared): boolean =>
  identity.systemIdentifier === checkpoint.systemIdentifier &&
  (identity.timeline === checkpoint.timeline || identity.leftTimelineAt !== null);

/** What the old primary had written last was not yet on the standby that took over, but was in the trail. */
function timelineGaps(options: Parameters<typeof compareWithTrail>[0]): FoundGap[] {
  const { checkpoint } = options;
  const left = leftHistoryAt(options);
  return left !== null && left < checkpoint.endLsn
    ? [gap('SOURCE_TIMELINE_FORKED', left, checkpoint.endLsn)]
    : [];
}

/**
 * Where the source's history may have become another than the trail's; null: nowhere. On a new timeline its
 * history says so. A source that was put back to an older state, as by a snapshot of its disk, stays on its
 * timeline: it is behind the trail, and would send nothing until it has written past the checkpoint. Its slot
 * is the last that both surely share.
 */
function leftHistoryAt({ checkpoint, sourceState }: Compared): Lsn | null {
  const { identity, slot, lsn } = sourceState;
  if (identity.leftTimelineAt !== null || lsn >= checkpoint.endLsn) return identity.leftTimelineAt;
  return isReadable(slot) ? lower(slot.confirmedFlushLsn!, lsn) : lsn;
}

function slotGaps({ checkpoint, sourceState, knownLsn }: Parameters<typeof compareWithTrail>[0]): FoundGap[] {
  const { slot } = sourceState;
  const from = checkpoint.endLsn;
  if (slot === undefined) return [gap('SOURCE_SLOT_LOST', from, null)];
  if (!isReadable(slot)) return [gap('SOURCE_SLOT_INVALID', from, null)];
  if (slot.confirmedFlushLsn! <= from) return [];
  const restored = knownLsn !== null && knownLsn > from;
  return [gap(restored ? 'TRAIL_RESTORED' : 'SOURCE_SLOT_AHEAD', from, slot.confirmedFlushLsn)];
}

function publishedFindings(
  options: Parameters<typeof compareWithTrail>[0],
): Pick<Continuity, 'gaps' | 'unpublished' | 'rewritten' | 'notes'> {
  const { config, checkpoint, sourceState, lastPublished } = options;
  if (lastPublished === undefined) return { gaps: [], unpublished: [], rewritten: [], notes: [] };
  const { fate } = sourceState;
  const { stream, unpublished, rewritten, notes } = publishedChanges({
    config,
    last: lastPublished.state,
    now: sourceState.published.state,
    fate,
  });
  const covered = coveredUntil(options);
  const from = skipsMissing(sourceState) ? covered : lower(covered, checkpoint.endLsn);
  return { gaps: stream === null ? [] : [gap(stream, from, null)], unpublished, rewritten, notes };
}

/** Nothing of it can be compared with the trail. */
const otherCluster = (checkpoint: Checkpoint): Continuity => ({
  gaps: [gap('SOURCE_CHANGED', checkpoint.endLsn, null)],
  unpublished: [],
  rewritten: [],
  notes: [],
  failover: [],
});

const gap = (code: FoundGap['code'], fromLsn: Lsn, toLsn: Lsn | null): FoundGap => ({
  code,
  tables: null,
  fromLsn,
  toLsn,
});

const lower = (a: Lsn, b: Lsn): Lsn => (a < b ? a : b);
const higher = (a: Lsn, b: Lsn): Lsn => (a > b ? a : b);
