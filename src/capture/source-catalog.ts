import type pg from 'pg';
import { checkTracking, type CheckedCatalog } from '../tracking/check.js';
import { isPrepared, leavingTables } from '../tracking/configuration-tables.js';
import type { TrackingConfig } from '../tracking/rules.js';

/** The catalog as capture uses it, which also considers the pending configuration. */
export type SourceCatalog = CheckedCatalog & {
  /** Tables that leave the publication on purpose; their troubles are left out. */
  readonly leaving: ReadonlySet<string>;
  /** True if the source is prepared for the pending configuration; false if none is pending. */
  readonly isPrepared: boolean;
};

/** Reads the catalog, and refuses a source that cannot be captured at all. */
export async function readSourceCatalog(
  client: pg.Client,
  { config, pending }: { readonly config: TrackingConfig; readonly pending: TrackingConfig | null },
): Promise<SourceCatalog> {
  const catalog = await checkTracking(client, config);
  const leaving = leavingTables({ config, pending, catalog });
  return {
    ...catalog,
    troubles: catalog.troubles.filter(({ table }) => !leaving.has(table)),
    leaving,
    isPrepared: pending !== null && isPrepared({ config: pending, catalog }),
  };
}
