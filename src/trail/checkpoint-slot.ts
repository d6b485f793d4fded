import type pg from 'pg';
import { withClient } from '../pg/connect.js';
import { describeUrl } from '../pg/connect-error.js';
import { refuseForeignSchema } from '../pg/own-schema.js';
import { trailError } from './trail-error.js';

/**
 * Reads the name of the slot on which the trail of a source stands; undefined where no trail of it has begun
 * in this database, or nothing of Waltrail is in it. Only where it is known that the schema is Waltrail's:
 * reading a view executes what its owner wrote.
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

/** Whether the tables of a trail are in the database, begun or not. */
export async function hasTrail(client: pg.ClientBase): Promise<boolean> {
  const { rows } = await client.query<{ made: boolean }>(
    /* sql */ `select pg_catalog.to_regclass('trail.checkpoint') is not null as made`,
  );
  return rows[0]!.made;
}

/**
 * {@link checkpointSlot} before anything else was looked at. Throws PG_SCHEMA_FOREIGN where somebody else has
 * made the schema.
 */
export async function checkedCheckpointSlot(
  client: pg.ClientBase,
  options: { readonly url: string; readonly source: string },
): Promise<string | undefined> {
  await refuseForeignSchema(client, { schema: 'trail', database: describeUrl(options.url) });
  return checkpointSlot(client, options.source);
}

/** {@link checkedCheckpointSlot} over a connection of its own. Throws what connecting throws. */
export const readCheckpointSlot = (options: {
  readonly url: string;
  readonly source: string;
  readonly signal: AbortSignal;
}): Promise<string | undefined> =>
  withClient({ ...options, side: 'trail', purpose: 'slot' }, (client) =>
    checkedCheckpointSlot(client, options),
  );
