import type pg from 'pg';
import { withClient } from '../pg/connect.js';
import { describeUrl } from '../pg/connect-error.js';
import { refuseForeignSchema } from '../pg/own-schema.js';
import { trailError } from './trail-error.js';

/**
 * Reads the name of the replication slot that the trail of a source uses. Returns undefined if the database
 * has no trail of that source. Call it only if the schema is known to be Waltrail's: reading a view executes
 * code of the view's owner.
 */
export async function checkpointSlot(client: pg.ClientBase, source: string): Promise<string | undefined> {
  try {
    if (!(await hasTrail(client))) return undefined;
    const { rows } = await client.query<{ slot: string }>(
      /* sql */ `select slot from trail.checkpoint where source = $1`,
      [source],
    );
    return rows[0]?.slot;
  } catch (error) {
    throw trailError(error);
  }
}

/** Returns whether the database has the tables of a trail, even if no trail has begun. */
export async function hasTrail(client: pg.ClientBase): Promise<boolean> {
  const { rows } = await client.query<{ made: boolean }>(
    /* sql */ `select pg_catalog.to_regclass('trail.checkpoint') is not null as made`,
  );
  return rows[0]!.made;
}

/**
 * Checks that the schema is Waltrail's, then calls {@link checkpointSlot}. Throws PG_SCHEMA_FOREIGN if
 * another owner created the schema.
 */
export async function checkedCheckpointSlot(
  client: pg.ClientBase,
  options: { readonly url: string; readonly source: string },
): Promise<string | undefined> {
  await refuseForeignSchema(client, { schema: 'trail', database: describeUrl(options.url) });
  return checkpointSlot(client, options.source);
}

/** Calls {@link checkedCheckpointSlot} over a new connection. Also throws the errors of connecting. */
export const readCheckpointSlot = (options: {
  readonly url: string;
  readonly source: string;
  readonly signal: AbortSignal;
}): Promise<string | undefined> =>
  withClient({ ...options, side: 'trail', purpose: 'slot' }, (client) =>
    checkedCheckpointSlot(client, options),
  );
