import type { Catalog } from './catalog.js';
import { planTracking } from './plan.js';
import type { TrackingConfig } from './rules.js';
import { publishedTables } from './tracked.js';

/**
 * Whether the source sends exactly what the configuration asks for. The source name in the publication's mark
 * is not compared: it never stops capture (DECISIONS 59).
 */
export const isPrepared = (options: {
  readonly config: TrackingConfig;
  readonly catalog: Catalog;
}): boolean =>
  planTracking({ ...options, takeOver: true }).steps.every(({ kind }) => kind === 'publication_comment');

/** Whether two configurations ask for the same tables in the publication. */
export function sameTables(one: TrackingConfig, other: TrackingConfig, catalog: Catalog): boolean {
  const [keys, others] = [keysOf(one, catalog), keysOf(other, catalog)];
  return keys.size === others.size && [...keys].every((key) => others.has(key));
}

/**
 * Tables that leave the publication because the pending configuration leaves them out: apply has run, and the
 * stream has not yet reached the position where the configuration begins. No changes of them are missing.
 * Empty if the source is not prepared as the pending configuration asks.
 */
export function leavingTables(options: {
  readonly config: TrackingConfig;
  readonly pending: TrackingConfig | null;
  readonly catalog: Catalog;
}): ReadonlySet<string> {
  const { config, pending, catalog } = options;
  if (pending === null || !isPrepared({ config: pending, catalog })) return new Set();
  const wanted = keysOf(pending, catalog);
  return new Set([...keysOf(config, catalog)].filter((key) => !wanted.has(key)));
}

/** Canonical names of the tables that are tracked. */
export const trackedKeys = (config: TrackingConfig, catalog: Catalog): ReadonlySet<string> =>
  new Set(publishedTables(config, catalog).flatMap(({ key, rule }) => (rule === null ? [] : [key])));

const keysOf = (config: TrackingConfig, catalog: Catalog): ReadonlySet<string> =>
  new Set(publishedTables(config, catalog).map(({ key }) => key));
