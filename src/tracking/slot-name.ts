import { createHash } from 'node:crypto';
import type { TrackingConfig } from './rules.js';

/** Bytes of the longest name that PostgreSQL does not cut. */
const MAX_NAME = 63;
const DIGEST_DIGITS = 8;

/**
 * Returns the default name of the slot: `waltrail_` and the source's name. Slots belong to the cluster, not
 * to the database. So two databases of one server need different slot names (DECISIONS 59). A name that is
 * too long ends with a digest of the source's name.
 */
export function defaultSlot(sourceName: string): string {
  const name = `waltrail_${sourceName.replaceAll('-', '_')}`;
  if (name.length <= MAX_NAME) return name;
  const digest = createHash('sha256').update(sourceName).digest('hex').slice(0, DIGEST_DIGITS);
  return `${name.slice(0, MAX_NAME - 1 - DIGEST_DIGITS)}_${digest}`;
}

/**
 * Returns the configuration with the slot that capture uses. The first of these counts: the slot that the
 * YAML names, the slot that the trail already uses, the default.
 *
 * @param trailSlot of the trail's checkpoint; undefined: the source has no trail yet
 */
export function withSlot(config: TrackingConfig, trailSlot: string | undefined): TrackingConfig {
  if (config.source.slotNamed || trailSlot === undefined) return config;
  return { ...config, source: { ...config.source, slot: trailSlot } };
}
