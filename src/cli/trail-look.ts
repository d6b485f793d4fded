import type pg from 'pg';
import { isWaltrailError, type WaltrailError } from '../errors.js';
import { withClient } from '../pg/connect.js';
import { isConnectError } from '../pg/connect-error.js';
import type { TrackingConfig } from '../tracking/rules.js';
import { withSlot } from '../tracking/slot-name.js';
import { checkedCheckpointSlot, hasTrail } from '../trail/checkpoint-slot.js';
import { loginSql, reviewLogins } from '../trail/logins.js';
import { trailInSource } from '../trail/not-source.js';

/** The YAML, with what was read from the trail. */
export interface TrailLook {
  /** The YAML. If the trail has begun, with the slot that the trail uses. */
  readonly config: TrackingConfig;
  /** The error if the trail would begin in the source's own database. Null if not, or if it has begun. */
  readonly inSource: WaltrailError | null;
}

/**
 * Asks the trail which slot it uses, and whether its database is the source's own. Both decide what is
 * planned for the source. Changes nothing. Throws PG_… if the trail does not answer.
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
 * Refuses to create the first tables of a trail in the source's own database. If the source cannot be
 * reached, nothing is refused here: capture checks the same before it begins.
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

/** What was read from the trail for a plan. */
export interface PlanLook extends TrailLook {
  /** What is wrong with the logins of `trail.urls`. */
  readonly troubles: readonly WaltrailError[];
  readonly advice: readonly string[];
  /** States what was assumed because the trail did not answer. Null if it answered. */
  readonly unasked: string | null;
}

/**
 * {@link lookAtTrail} for a plan, which may be made before there is a trail. If the trail does not answer,
 * `unasked` says what was assumed.
 */
export async function lookForPlan(config: TrackingConfig, source: pg.ClientBase): Promise<PlanLook> {
  try {
    const look = await lookAtTrail(config, source);
    const { troubles, shared } = await reviewLogins(config.trail);
    const advice =
      shared.length === 0
        ? []
        : [
            `The login of the trail may do more than ${shared.join(', ')}. To give each role its own login, run this on the trail and name the logins in trail.urls:\n${loginSql(shared)}`,
          ];
    return { ...look, troubles, advice, unasked: null };
  } catch (error) {
    if (!isWaltrailError(error)) throw error;
    const unasked = `The trail did not answer, so slot ${config.source.slot} of the YAML is assumed: ${error.message}`;
    return {
      config,
      inSource: null,
      troubles: [],
      advice: [],
      unasked: config.source.slotNamed ? null : unasked,
    };
  }
}
