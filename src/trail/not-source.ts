import type pg from 'pg';
import { WaltrailError } from '../errors.js';
import { isSameDatabase } from '../pg/same-database.js';

/**
 * Returns an error if a new trail would begin in the tracked database itself. Returns null if the trail has a
 * database of its own, even one on the same server. A trail that has already begun in the source stays there:
 * moving it would cause a gap.
 */
export async function trailInSource(options: {
  readonly trail: pg.ClientBase;
  readonly source: pg.ClientBase;
}): Promise<WaltrailError | null> {
  if (!(await isSameDatabase(options.trail, options.source))) return null;
  const { rows } = await options.trail.query<{ name: string }>(
    /* sql */ `select pg_catalog.current_database()::text as name`,
  );
  return new WaltrailError(
    'TRAIL_IN_SOURCE',
    `trail.url leads to database ${rows[0]!.name}, which is the source itself.`,
  );
}
