import { WaltrailError } from '../errors.js';
import { parseLsn } from '../pg/lsn.js';
import type { TrackingConfig } from '../tracking/rules.js';
import type { Look, RecentCounts, SourceLook } from './look.js';
import type { TrailStanding } from './trail-facts.js';

/**
 * Whether capture streams. `silent`: a process holds the lock of capture, but has not reported for half a
 * minute that the trail is current. `stopped at a gap`: no process holds the lock, and an open gap keeps
 * capture from streaming. `unknown`: the trail does not answer, and only the trail knows the state.
 */
export type CaptureState =
  'streaming' | 'silent' | 'stopped at a gap' | 'nobody captures' | 'not begun' | 'unknown';

/** When the source invalidates the slot. Changes that are not stored by then are lost. */
export type Invalidation =
  /** The slot is invalidated. */
  | { readonly is: 'invalidated'; readonly reason: string }
  /**
   * After `leftBytes` more WAL, or after some time without a reader. `seconds`: the time left at the current
   * rate.
   */
  | { readonly is: 'in sight'; readonly seconds: number; readonly leftBytes: number | null }
  /** There is a limit, but the WAL that is kept does not grow. */
  | { readonly is: 'not at the present rate'; readonly leftBytes: number }
  | { readonly is: 'never' }
  | { readonly is: 'unknown' };

/** The status of capture. What is not known is null or `unknown`. */
export interface Status {
  readonly state: CaptureState;
  /** Bytes between the end of the WAL and the checkpoint. */
  readonly lagBytes: number | null;
  /**
   * Time before now from which commits may be missing, by the clock of the source. Capture reports it every
   * ten seconds.
   */
  readonly lagSeconds: number | null;
  /** Bytes of WAL that the source wrote a second between two looks. */
  readonly walBytesPerSecond: number | null;
  readonly slot: {
    readonly name: string;
    readonly active: boolean;
    readonly keptBytes: number;
    readonly unacknowledgedBytes: number;
    readonly invalidation: Invalidation;
  } | null;
  /** The process that captures. Null: none, or not known. */
  readonly capture: TrailStanding['capture'];
  readonly currentUntil: string | null;
  readonly entries: number | null;
  readonly lastEntryAt: string | null;
  readonly gaps: TrailStanding['gaps'] | null;
  /** `in effect`: the configuration in the file is in effect. `other`: another one is. */
  readonly configuration: 'in effect' | 'other' | 'unknown';
  /** Entries of the last 24 hours. Null: not known. */
  readonly recent: RecentCounts;
  /** Sides that do not answer. */
  readonly unreachable: readonly {
    readonly side: 'source' | 'trail';
    readonly code: string;
    readonly message: string;
    readonly remedy: string;
  }[];
}

/** Without a report for longer than this, capture does not stream. It reports every ten seconds. */
const SILENT_S = 30;

/**
 * Returns the status of capture, computed from one look. Its rates are computed from the previous look.
 *
 * @param options.before the previous look. Null if there is none: no rate is then known
 */
export function statusOf(options: {
  readonly config: TrackingConfig;
  readonly before: Look | null;
  readonly now: Look;
  readonly recent: RecentCounts;
}): Status {
  const { config, before, now, recent } = options;
  const source = known(now.source);
  const trail = known(now.trail);
  const earlier = before === null ? null : known(before.source);
  const seconds = before === null ? 0 : (now.madeAtMs - before.madeAtMs) / 1_000;
  return {
    state: stateOf(now.trail),
    lagBytes:
      source === null || trail === null ? null : Math.max(Number(source.lsn - parseLsn(trail.endLsn)), 0),
    lagSeconds: lagSeconds(source, trail),
    walBytesPerSecond:
      source === null || earlier === null ? null : Number(source.lsn - earlier.lsn) / seconds,
    slot: slotOf(source, { earlier, seconds }),
    capture: trail?.capture ?? null,
    currentUntil: trail?.currentUntil ?? null,
    entries: trail?.entries ?? null,
    lastEntryAt: trail?.lastEntryAt ?? null,
    gaps: trail?.gaps ?? null,
    configuration:
      trail?.configuration == null
        ? 'unknown'
        : trail.configuration === config.definition.digest
          ? 'in effect'
          : 'other',
    recent,
    unreachable: (['source', 'trail'] as const).flatMap((side) => {
      const error = now[side];
      if (!(error instanceof WaltrailError)) return [];
      const { code, message, remedy } = error;
      return [{ side, code, message, remedy }];
    }),
  };
}

const known = <T>(look: T | WaltrailError): T | null => (look instanceof WaltrailError ? null : look);

function stateOf(trail: Look['trail']): CaptureState {
  if (trail instanceof WaltrailError) return 'unknown';
  if (trail === null) return 'not begun';
  if (trail.capture === null) return trail.gaps.stream ? 'stopped at a gap' : 'nobody captures';
  return trail.saidSecondsAgo !== null && trail.saidSecondsAgo <= SILENT_S ? 'streaming' : 'silent';
}

/**
 * Returns the lag by the clock of the source. If that is unknown, returns the time since capture's last
 * report.
 */
function lagSeconds(source: SourceLook | null, trail: TrailStanding | null): number | null {
  if (trail?.currentUntil == null) return null;
  const until = Date.parse(trail.currentUntil);
  if (source !== null) return Math.max((Date.parse(source.at) - until) / 1_000, 0);
  return trail.saidSecondsAgo;
}

function slotOf(
  source: SourceLook | null,
  rate: { readonly earlier: SourceLook | null; readonly seconds: number },
): Status['slot'] {
  if (source?.slot === undefined) return null;
  const { name, active, keptBytes, unacknowledgedBytes } = source.slot;
  return { name, active, keptBytes, unacknowledgedBytes, invalidation: invalidationOf(source, rate) };
}

function invalidationOf(
  { slot, keepBytes, idleTimeoutSeconds }: SourceLook,
  { earlier, seconds }: { readonly earlier: SourceLook | null; readonly seconds: number },
): Invalidation {
  const { invalidated, leftBytes, idleSeconds } = slot!;
  if (invalidated !== null) return { is: 'invalidated', reason: invalidated };
  const idle =
    idleTimeoutSeconds === null || idleSeconds === null
      ? null
      : Math.max(idleTimeoutSeconds - idleSeconds, 0);
  if (keepBytes === null || leftBytes === null)
    return idle === null ? { is: 'never' } : { is: 'in sight', seconds: idle, leftBytes: null };
  const leftBefore = earlier?.slot?.leftBytes ?? null;
  // Without a previous look, the rate of the WAL is not known. The limit of WAL may be reached before the
  // idle timeout.
  if (leftBefore === null) return { is: 'unknown' };
  const perSecond = (leftBefore - leftBytes) / seconds;
  const byWal = leftBytes <= 0 ? 0 : perSecond <= 0 ? null : leftBytes / perSecond;
  const soonest = [idle, byWal].filter((time) => time !== null);
  return soonest.length === 0
    ? { is: 'not at the present rate', leftBytes }
    : { is: 'in sight', seconds: Math.min(...soonest), leftBytes };
}
