import path from 'node:path';
import type pg from 'pg';
import { WaltrailError } from '../errors.js';
import type { Log } from '../log.js';
import { connect, withClient } from '../pg/connect.js';
import { describeUrl } from '../pg/connect-error.js';
import { refuseSharedSessions } from '../pg/pooler.js';
import { migrate, pendingMigrations } from '../pg/migrations.js';
import { serverSays } from '../pg/server-message.js';

/** Folder of the migrations. The relative path is the same from dist/trail and from src/trail. */
const FOLDER = path.resolve(import.meta.dirname, '../../sql/trail');

/**
 * Number of days ahead for which partitions of `trail.entry` exist. Capture therefore survives a weekend
 * without housekeeping.
 */
export const DAYS_AHEAD = 7;

/**
 * Migrates a trail database to this version's schema and creates the partitions of the next days. Several
 * processes may call it at the same time. If there is nothing to do, it changes nothing. Throws
 * PG_UNREACHABLE, PG_REFUSED, PG_MIGRATION_FAILED and PG_MIGRATION_NEWER.
 */
export async function migrateTrail(options: { readonly url: string; readonly log: Log }): Promise<void> {
  const { url, log } = options;
  await withClient({ url, side: 'trail', purpose: 'migration' }, async (client) => {
    await refuseSharedSessions({
      client,
      open: () => connect({ url, side: 'trail', purpose: 'migration' }),
      database: describeUrl(url),
    });
    await migrate({ client, database: describeUrl(url), folder: FOLDER, schema: 'trail', log });
    await ensurePartitions(client, url);
  });
}

/**
 * Returns the names of the migrations that a trail lacks; all of them if the trail has not begun. Throws the
 * errors of {@link migrateTrail}.
 */
export const pendingTrailMigrations = (client: pg.Client, url: string): Promise<string[]> =>
  pendingMigrations({ client, database: describeUrl(url), folder: FOLDER, schema: 'trail' });

async function ensurePartitions(client: pg.Client, url: string): Promise<void> {
  try {
    // A login that may only read leaves the partitions to processes that write. The right is checked by a
    // separate statement, because PostgreSQL refuses a statement that names the function even if no row calls
    // it.
    const { rows } = await client.query<{ may: boolean }>(
      /* sql */ `select has_function_privilege('trail.ensure_partitions(int4)', 'execute') as may`,
    );
    if (rows[0]!.may) await client.query(/* sql */ `select trail.ensure_partitions($1)`, [DAYS_AHEAD]);
  } catch (error) {
    throw new WaltrailError(
      'PG_MIGRATION_FAILED',
      `${describeUrl(url)}: the partitions of the next days cannot be created (${serverSays(error)}).`,
      { cause: error },
    );
  }
}
