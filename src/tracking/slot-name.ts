import { createHash } from 'node:crypto';
import type { TrackingConfig } from './rules.js';

/** Bytes of the longest name that PostgreSQL keeps whole. */
const MAX_NAME = 63;
const DIGEST_DIGITS = 8;

/**
 * Makes the name of the slot where the YAML has none: `waltrail_` and the source's name. Slots belong to the
 * cluster, not to the database, so a name that says nothing of the source would be the same for two databases
 * of one server (DECISIONS 59). A name that would be too long ends with a digest of the whole.
 */
export function defaultSlot(sourceName: string): string {
  const name = `waltrail_${sourceName.replaceAll('-', '_')}`;
  if (name.length <= MAX_NAME) return name;
  const digest = createHash('sha256').update(sourceName).digest('hex').slice(0, DIGEST_DIGITS);
  return `${name.slice(0, MAX_NAME - 1 - DIGEST_DIGITS)}_${digest}`;
}

/**
 * Returns the configuration with the slot that capture uses: the one that the YAML names; else the one on
 * which the trail stands, whatever today's default is; else the default.
 *
 * @param trailSlot of the trail's checkpoint; undefined: no trail of this source has begun
 */
export function withSlot(config: TrackingConfig, trailSlot: string | undefined): TrackingConfig {
  if (config.source.slotNamed || trailSlot === undefined) return config;
  return { ...config, source: { ...config.source, slot: trailSlot } };
}
