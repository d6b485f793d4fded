import { WaltrailError } from '../errors.js';
import { parseLsn } from '../pg/lsn.js';
import type { TrackingConfig } from '../tracking/rules.js';
import type { Look, RecentCounts, SourceLook } from './look.js';
import type { TrailStanding } from './trail-facts.js';

/**
 * Whether capture streams. `silent`: somebody holds the lock of capture and has not said for half a minute
 * that the trail is current. `stopped at a gap`: nobody holds it, and would not stream. `unknown`: the trail
 * does not answer, and only it knows.
 */
export type CaptureState =
  'streaming' | 'silent' | 'stopped at a gap' | 'nobody captures' | 'not begun' | 'unknown';

/** When the source gives the slot up, and with it what is not stored. */
export type Invalidation =
  /** It has. */
  | { readonly is: 'invalidated'; readonly reason: string }
  /** After so many bytes of WAL more, or without a reader for so long; `seconds` at the present rate. */
  | { readonly is: 'in sight'; readonly seconds: number; readonly leftBytes: number | null }
  /** There is a limit, and what is kept does not grow. */
  | { readonly is: 'not at the present rate'; readonly leftBytes: number }
  | { readonly is: 'never' }
  | { readonly is: 'unknown' };

/** How capture stands. What is not known is null, or says so. */
export interface Status {
  readonly state: CaptureState;
  /** Between the end of the WAL and the checkpoint. */
  readonly lagBytes: number | null;
  /**
   * Since when, by the clock of the source, what was committed may be missing. Capture says every ten
   * seconds.
   */
  readonly lagSeconds: number | null;
  /** Bytes of WAL a second between two looks. */
  readonly walBytesPerSecond: number | null;
  readonly slot: {
    readonly name: string;
    readonly active: boolean;
    readonly keptBytes: number;
    readonly unacknowledgedBytes: number;
    readonly invalidation: Invalidation;
  } | null;
  /** Who captures; null: nobody, or it is not known. */
  readonly capture: TrailStanding['capture'];
  readonly currentUntil: string | null;
  readonly entries: number | null;
  readonly lastEntryAt: string | null;
  readonly gaps: TrailStanding['gaps'] | null;
  /** `other`: entries are made by another configuration than that of the file. */
  readonly configuration: 'in effect' | 'other' | 'unknown';
  /** Of the last 24 hours; null: not known. */
  readonly recent: RecentCounts;
  /** Sides that do not answer. */
  readonly unreachable: readonly {
    readonly side: 'source' | 'trail';
    readonly code: string;
    readonly message: string;
    readonly remedy: string;
  }[];
}

/** Without a note for longer than this, capture does not stream; it notes every ten seconds. */
const SILENT_S = 30;

/**
 * Says how capture stands by one look, and at what rate that changes by the look before it.
 *
 * @param options.before null: there is none, so no rate is known
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

/** By the clock of the source where it answers; else as long as capture says nothing new. */
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
  // Without a look before, the time without a reader is all that is known, and WAL may be quicker.
  if (leftBefore === null) return { is: 'unknown' };
  const perSecond = (leftBefore - leftBytes) / seconds;
  const byWal = leftBytes <= 0 ? 0 : perSecond <= 0 ? null : leftBytes / perSecond;
  const soonest = [idle, byWal].filter((time) => time !== null);
  return soonest.length === 0
    ? { is: 'not at the present rate', leftBytes }
    : { is: 'in sight', seconds: Math.min(...soonest), leftBytes };
}
