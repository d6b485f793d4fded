import type pg from 'pg';
import { WaltrailError } from '../errors.js';
import { isSameDatabase } from '../pg/same-database.js';

/**
 * Makes the error of a trail that is to begin in the very database that is tracked; null where it is another
 * one, be it on the same server. A trail that has begun there stays: moving it would be a gap.
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
