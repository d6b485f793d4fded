import pg from 'pg';
import { WaltrailError } from '../errors.js';
import { close, connectError, destroyOnAbort } from '../pg/connect.js';
import { formatLsn, parseLsn, type Lsn } from '../pg/lsn.js';
import { quoteIdentifier } from '../pg/quote.js';
import { PREPARE_READING, replicationClientConfig } from './session.js';
import { streamError } from './stream-error.js';

/** Who the source is: a clone or a restored copy has the same identifier, a promoted standby another timeline. */
export interface SystemIdentity {
  readonly systemIdentifier: string;
  readonly timeline: number;
}

export interface SlotState {
  readonly plugin: string | null;
  /** Null: a physical slot. */
  readonly database: string | null;
  /** Slots belong to the cluster, but only their own database can read from them. */
  readonly ofThisDatabase: boolean;
  readonly confirmedFlushLsn: Lsn | null;
  /** `reserved`, `extended`, `unreserved` or `lost`. */
  readonly walStatus: string | null;
}

/** IDENTIFY_SYSTEM on a replication connection. */
export async function identifySystem(client: pg.Client): Promise<SystemIdentity> {
  const { rows } = await client.query<{ systemid: string; timeline: string | number }>('IDENTIFY_SYSTEM');
  return { systemIdentifier: rows[0]!.systemid, timeline: Number(rows[0]!.timeline) };
}

/** The slot as the source sees it; undefined when there is none of that name. */
export async function readSlot(client: pg.Client, slot: string): Promise<SlotState | undefined> {
  const { rows } = await client.query<{
    plugin: string | null;
    database: string | null;
    of_this_database: boolean | null;
    confirmed_flush_lsn: string | null;
    wal_status: string | null;
  }>(
    /* sql */ `select plugin, database, database = pg_catalog.current_database() as of_this_database, confirmed_flush_lsn::text, wal_status
                 from pg_catalog.pg_replication_slots where slot_name = $1`,
    [slot],
  );
  const row = rows[0];
  return row === undefined
    ? undefined
    : {
        plugin: row.plugin,
        database: row.database,
        ofThisDatabase: row.of_this_database === true,
        confirmedFlushLsn: row.confirmed_flush_lsn === null ? null : parseLsn(row.confirmed_flush_lsn),
        walStatus: row.wal_status,
      };
}

/** A slot that was just made: `snapshot` is exactly the state at `startLsn`, so that state plus stream is everything, once. */
export interface NewSlot {
  readonly identity: SystemIdentity;
  readonly startLsn: Lsn;
  readonly snapshot: string;
}

/** Creates the slot and calls `begin`; the snapshot is gone when that is done. */
export async function createSlot(options: {
  readonly url: string;
  /** Gives up: the source may wait for its running transactions before it makes a slot. */
  readonly signal: AbortSignal;
  readonly slot: string;
  readonly begin: (slot: NewSlot) => Promise<void>;
}): Promise<void> {
  const client = await connectReplication(options.url, options.signal);
  try {
    const identity = await identifySystem(client);
    // Its transaction stays open until the names are read.
    await client.query(PREPARE_READING);
    const { rows } = await client
      .query<{ consistent_point: string; snapshot_name: string }>(
        `CREATE_REPLICATION_SLOT ${quoteIdentifier(options.slot)} LOGICAL pgoutput EXPORT_SNAPSHOT`,
      )
      .catch((error: unknown) => {
        throw streamError(error);
      });
    await options.begin({
      identity,
      startLsn: parseLsn(rows[0]!.consistent_point),
      snapshot: rows[0]!.snapshot_name,
    });
  } finally {
    await close(client);
  }
}

/**
 * Refuses what would make a hole or mix two sources: START_REPLICATION below `confirmed_flush_lsn` skips silently to
 * it, so a slot ahead of the checkpoint means that somebody acknowledged what the trail does not have.
 */
export function checkSlot(options: {
  readonly slot: string;
  readonly state: SlotState;
  readonly checkpointLsn: Lsn;
}): void {
  const { slot, state, checkpointLsn } = options;
  if (state.plugin !== 'pgoutput' || !state.ofThisDatabase) {
    throw new WaltrailError(
      'SOURCE_SLOT_INVALID',
      `Slot ${slot} is not a logical slot of pgoutput in this database (plugin: ${state.plugin ?? 'none'}, database: ${state.database ?? 'none'}).`,
      {
        remedy: 'Choose another source.slot in the YAML; Waltrail creates it.',
      },
    );
  }
  if (state.walStatus === 'lost' || state.confirmedFlushLsn === null) {
    throw new WaltrailError('SOURCE_SLOT_INVALID', `Slot ${slot} was invalidated by the source.`);
  }
  if (state.confirmedFlushLsn > checkpointLsn) {
    throw new WaltrailError(
      'SOURCE_SLOT_AHEAD',
      `Slot ${slot} is at ${formatLsn(state.confirmedFlushLsn)}, the trail at ${formatLsn(checkpointLsn)}: what lies between was acknowledged but is not in the trail.`,
    );
  }
}

/** The identity of the source, over a connection of its own. */
export async function identifySource(url: string, signal: AbortSignal): Promise<SystemIdentity> {
  const client = await connectReplication(url, signal);
  try {
    return await identifySystem(client);
  } catch (error) {
    throw connectError(url, error);
  } finally {
    await close(client);
  }
}

async function connectReplication(url: string, signal: AbortSignal): Promise<pg.Client> {
  const client = new pg.Client(replicationClientConfig(url));
  client.on('error', () => undefined);
  try {
    destroyOnAbort(client, signal);
    await client.connect();
  } catch (error) {
    throw connectError(url, error);
  }
  return client;
}
