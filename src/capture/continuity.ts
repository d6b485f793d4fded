import { formatLsn, higher, lower, type Lsn } from '../pg/lsn.js';
import type { SlotState, SourceIdentity, SystemIdentity } from '../source/slot.js';
import type { PublishedAtLsn, TableFate } from '../tracking/published.js';
import { publishedChanges, type TrackingNote } from '../tracking/published-change.js';
import type { TrackingConfig } from '../tracking/rules.js';
import type { Checkpoint } from '../trail/write/checkpoint.js';
import type { FoundGap } from '../trail/write/gaps.js';

/** The state of the source in one look. */
export interface SourceState {
  /** Version of PostgreSQL, as `server_version_num`. */
  readonly version: number;
  readonly identity: SourceIdentity;
  readonly slot: SlotState | undefined;
  readonly published: PublishedAtLsn;
  /**
   * Position after everything was read. The look describes the source for all commits from this position on.
   */
  readonly lsn: Lsn;
  /** Whether it certainly lacks the last transaction that the trail has of it. */
  readonly lacksLast: boolean;
  /** What has happened to the tables of the last look. */
  readonly fate: TableFate;
}

/** The findings of a look about the stretch since the last one. */
export interface Continuity {
  /** Gaps of the whole stream, where the trail may lack entries or have too many. Capture stops at them. */
  readonly gaps: readonly FoundGap[];
  /** Tables whose changes may not have been sent for a while. */
  readonly unpublished: readonly string[];
  /** Tables whose rows were given other values. The source sends nothing about them. */
  readonly rewritten: readonly string[];
  /** Notes to record although nothing is missing. */
  readonly notes: readonly TrackingNote[];
  /** Notes of a failover. They are recorded when capture resumes after it. */
  readonly failover: readonly TrackingNote[];
}

/**
 * Compares the source with the trail: identity, timeline, slot, position and publication. Pure.
 * START_REPLICATION reports none of what is found here. If the start is before the slot's position, it
 * silently skips to that position. If the slot was recreated, it silently begins later. If there is no
 * publication, PostgreSQL 18 silently sends nothing.
 *
 * @param options.knownLsn a checkpoint that this process has seen committed; if the trail's is lower, the
 *   trail was restored
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
 * Returns the position up to which the last look certainly describes what the source sends. A gap of tables
 * that this look finds begins there. Positions after a fork belong to another history, and positions of
 * another cluster mean nothing.
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
 * Returns where the stream has to begin so that it skips nothing that the source can still send. The slot
 * must be readable.
 */
export function startPosition(options: {
  readonly checkpoint: Checkpoint;
  readonly sourceState: SourceState;
  readonly gaps: readonly FoundGap[];
}): Lsn {
  const { checkpoint, sourceState, gaps } = options;
  const confirmed = sourceState.slot!.confirmedFlushLsn!;
  if (!isSameCluster(options)) return confirmed;
  const left = leftHistoryAt({ checkpoint, sourceState });
  const start = higher(confirmed, lower(checkpoint.endLsn, left ?? knownUntil(checkpoint)));
  if (skipsMissing(sourceState)) return start;
  const missing = gaps.filter(({ code }) => code === 'SOURCE_PUBLICATION_MISSING');
  return missing.reduce((position, { toLsn }) => higher(position, toLsn ?? position), start);
}

/**
 * True if the source can skip a change that was made while there was no publication. Before PostgreSQL 18, it
 * can neither send nor skip such a change.
 */
const skipsMissing = ({ version }: SourceState): boolean => version >= 180_000;

/** True if the slot exists and can be read from. */
export const isReadable = (slot: SlotState | undefined): slot is SlotState =>
  slot !== undefined && slot.invalidated === null && slot.confirmedFlushLsn !== null;

type Compared = Pick<Parameters<typeof compareWithTrail>[0], 'checkpoint' | 'sourceState'>;

/** True if a source is the cluster of the trail and still on its timeline. */
export const isOnTimeline = (
  { systemIdentifier, timeline }: Pick<Checkpoint, 'systemIdentifier' | 'timeline'>,
  identity: SystemIdentity,
): boolean => identity.systemIdentifier === systemIdentifier && identity.timeline === timeline;

/** True if the histories of source and trail have a common beginning. */
const isSameCluster = ({ checkpoint, sourceState: { identity } }: Compared): boolean =>
  isOnTimeline(checkpoint, identity) ||
  (identity.systemIdentifier === checkpoint.systemIdentifier && identity.leftTimelineAt !== null);

/** Returns a gap if the trail has entries from an old primary that the promoted standby did not have yet. */
function timelineGaps(options: Parameters<typeof compareWithTrail>[0]): FoundGap[] {
  const { checkpoint } = options;
  const left = leftHistoryAt(options);
  return left !== null && left < knownUntil(checkpoint)
    ? [gap('SOURCE_TIMELINE_FORKED', left, checkpoint.endLsn)]
    : [];
}

/**
 * True if capture may move to `lsn` although there is no gap: the source sends no change between this
 * position and the checkpoint.
 */
export const skipsNothing = (checkpoint: Checkpoint, lsn: Lsn): boolean =>
  lsn >= knownUntil(checkpoint) && lsn <= checkpoint.endLsn;

/**
 * Returns up to where the trail has changes. Behind it, up to the checkpoint, the source had none. But it may
 * have some if it was put back to a state in between.
 */
const knownUntil = ({ lastEndLsn, endLsn }: Checkpoint): Lsn => lower(lastEndLsn ?? endLsn, endLsn);

/**
 * Returns where the source's history may have left that of the trail; null: nowhere. On a new timeline, the
 * timeline's history states it.
 *
 * A source that was restored to an older state, as by a snapshot of its disk, stays on its timeline. It is
 * then behind the trail, or has written past the checkpoint, which is found by the last transaction. The
 * position of its slot is the last that both certainly share.
 */
function leftHistoryAt({ checkpoint, sourceState }: Compared): Lsn | null {
  const { identity, slot, lsn, lacksLast } = sourceState;
  if (identity.leftTimelineAt !== null) return identity.leftTimelineAt;
  if (!lacksLast && lsn >= checkpoint.endLsn) return null;
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

/** Returns the findings for another cluster, which cannot be compared with the trail. */
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
