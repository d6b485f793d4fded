import type pg from 'pg';
import { isWaltrailError, type WaltrailError } from '../errors.js';
import { withClient } from '../pg/connect.js';
import { isConnectError } from '../pg/connect-error.js';
import type { TrackingConfig } from '../tracking/rules.js';
import { withSlot } from '../tracking/slot-name.js';
import { checkedCheckpointSlot, hasTrail } from '../trail/checkpoint-slot.js';
import { loginSql, reviewLogins } from '../trail/logins.js';
import { trailInSource } from '../trail/not-source.js';

/** What the trail adds to a YAML. */
export interface TrailLook {
  /** With the slot on which the trail stands, if one has begun. */
  readonly config: TrackingConfig;
  /** The trail would begin in the source's own database; null: it would not, or it has begun. */
  readonly inSource: WaltrailError | null;
}

/**
 * Asks the trail for what decides about the source: on which slot it stands, and whether it is the source.
 * Changes nothing. Throws PG_… where the trail does not answer.
 *
 * @param source connected to the source, in no transaction
 */
export const lookAtTrail = (config: TrackingConfig, source: pg.ClientBase): Promise<TrailLook> =>
  withClient({ url: config.trail.url, side: 'trail', purpose: 'look' }, async (trail) => {
    const slot = await checkedCheckpointSlot(trail, { url: config.trail.url, source: config.source.name });
    return {
      config: withSlot(config, slot),
      inSource: slot === undefined ? await trailInSource({ trail, source }) : null,
    };
  });

/**
 * Keeps whoever makes the tables of a trail from making the first ones in the source's own database. Where
 * the source cannot be reached, which only capture needs, nothing is refused: capture does that before it
 * begins.
 * Throws TRAIL_IN_SOURCE and what connecting to the trail throws.
 */
export async function refuseFirstTrailInSource(urls: {
  readonly trailUrl: string;
  readonly sourceUrl: string;
}): Promise<void> {
  const { trailUrl, sourceUrl } = urls;
  await withClient({ url: trailUrl, side: 'trail', purpose: 'look' }, async (trail) => {
    if (await hasTrail(trail)) return;
    const inSource = await withClient({ url: sourceUrl, side: 'source', purpose: 'look' }, (source) =>
      trailInSource({ trail, source }),
    ).catch((error: unknown) => {
      if (isConnectError(error)) return null;
      throw error;
    });
    if (inSource !== null) throw inSource;
  });
}

/** What the trail adds to a plan. */
export interface PlanLook extends TrailLook {
  /** What is wrong with the logins of `trail.urls`. */
  readonly troubles: readonly WaltrailError[];
  readonly advice: readonly string[];
  /** What was assumed, where the trail could not be asked. */
  readonly unasked: string | null;
}

/**
 * {@link lookAtTrail} for a plan, which may be made before there is a trail: where it does not answer, a
 * sentence says what was assumed.
 */
export async function lookForPlan(config: TrackingConfig, source: pg.ClientBase): Promise<PlanLook> {
  try {
    const look = await lookAtTrail(config, source);
    const { troubles, shared } = await reviewLogins(config.trail);
    const advice =
      shared.length === 0
        ? []
        : [
            `The trail is used by a login that may do more than ${shared.join(', ')}. To give each role a login of its own, which trail.urls then names, run on the trail:\n${loginSql(shared)}`,
          ];
    return { ...look, troubles, advice, unasked: null };
  } catch (error) {
    if (!isWaltrailError(error)) throw error;
    const unasked = `The trail could not be asked whether it stands on another slot than ${config.source.slot}: ${error.message}`;
    return {
      config,
      inSource: null,
      troubles: [],
      advice: [],
      unasked: config.source.slotNamed ? null : unasked,
    };
  }
}
