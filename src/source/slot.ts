import type pg from 'pg';
import { WaltrailError } from '../errors.js';
import { close, openPinned } from '../pg/connect.js';
import { queryError } from '../pg/connect-error.js';
import { parseLsn, type Lsn } from '../pg/lsn.js';
import { quoteIdentifier } from '../pg/quote.js';
import { replicationClientConfig } from './connection-settings.js';
import { streamError } from './stream-error.js';

/**
 * Who the source is: a clone or a restored copy has the same identifier, a promoted standby another timeline.
 */
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
  /**
   * Why the source gave the slot up: `wal_removed`, `idle_timeout` and so on; null while it can be read from.
   */
  readonly invalidated: string | null;
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
    invalidated: string | null;
  }>(
    // Before PostgreSQL 17 there is no invalidation_reason, before 16 no conflicting: to_jsonb() makes one
    // query fit all.
    /* sql */ `select s.plugin, s.database, s.database = pg_catalog.current_database() as of_this_database, s.confirmed_flush_lsn::text,
                      coalesce(j ->> 'invalidation_reason',
                               case when s.wal_status = 'lost' then 'wal_removed' when (j ->> 'conflicting')::boolean then 'conflicting' end) as invalidated
                 from pg_catalog.pg_replication_slots s, lateral (select pg_catalog.to_jsonb(s) as j) as x
                where s.slot_name = $1`,
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
        invalidated: row.invalidated,
      };
}

/**
 * A slot that was just made: `snapshot` is exactly the state at `startLsn`, so that state plus stream is
 * everything, once.
 */
export interface NewSlot {
  readonly identity: SystemIdentity;
  readonly startLsn: Lsn;
  readonly snapshot: string;
}

/** From here on a slot can be copied to standbys, so that it survives a failover. */
const HAS_FAILOVER_SLOTS = 170_000;

/**
 * Creates the slot and calls `begin`; the snapshot is gone when that is done, and so is a temporary slot.
 */
export async function createSlot(options: {
  readonly url: string;
  /** Gives up: the source may wait for its running transactions before it makes a slot. */
  readonly signal: AbortSignal;
  readonly slot: string;
  readonly temporary?: boolean;
  readonly begin: (slot: NewSlot) => Promise<void>;
}): Promise<void> {
  const client = await openPinned(replicationClientConfig(options.url), { ...options, side: 'source' });
  try {
    // While it waits for transactions, the server notices in this way alone that nobody waits for it any
    // more. A system that cannot tell refuses the setting.
    if (options.temporary === true)
      await client.query(`set client_connection_check_interval = '2s'`).catch(() => undefined);
    const identity = await identifySystem(client);
    const { rows: version } = await client.query<{ server_version_num: string }>('show server_version_num');
    const failover = Number(version[0]!.server_version_num) >= HAS_FAILOVER_SLOTS;
    const kind =
      options.temporary === true
        ? 'TEMPORARY LOGICAL pgoutput EXPORT_SNAPSHOT'
        : `LOGICAL pgoutput ${failover ? `(SNAPSHOT 'export', FAILOVER true)` : 'EXPORT_SNAPSHOT'}`;
    const { rows } = await client
      .query<{
        consistent_point: string;
        snapshot_name: string;
      }>(`CREATE_REPLICATION_SLOT ${quoteIdentifier(options.slot)} ${kind}`)
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
 * Throws SOURCE_SLOT_FOREIGN for a slot that is not ours to read from: of another plugin, database or kind.
 */
export function checkSlotKind(slot: string, state: SlotState): void {
  if (state.plugin === 'pgoutput' && state.ofThisDatabase) return;
  throw new WaltrailError(
    'SOURCE_SLOT_FOREIGN',
    `Slot ${slot} is not a logical slot of pgoutput in this database (plugin: ${state.plugin ?? 'none'}, database: ${state.database ?? 'none'}).`,
  );
}

/**
 * Where and when the source left a timeline, from its history; null where that timeline is not in its past.
 */
export interface SourceIdentity extends SystemIdentity {
  readonly leftTimelineAt: Lsn | null;
}

/**
 * Who the source is, over a connection of its own.
 *
 * @param options.timeline the one the trail was fed from; the end of it is looked up where the source is on
 *   another
 */
export async function identifySource(options: {
  readonly url: string;
  readonly signal: AbortSignal;
  readonly timeline?: number | undefined;
}): Promise<SourceIdentity> {
  const { url, timeline } = options;
  const client = await openPinned(replicationClientConfig(url), { ...options, side: 'source' });
  try {
    const identity = await identifySystem(client);
    const same = timeline === undefined || timeline === identity.timeline;
    return {
      ...identity,
      leftTimelineAt: same ? null : await endOfTimeline(client, identity.timeline, timeline),
    };
  } catch (error) {
    throw queryError({ url, side: 'source' }, error);
  } finally {
    await close(client);
  }
}

/**
 * A history file has a line for each earlier timeline: its number, where it ended and why.
 *
 * @see https://www.postgresql.org/docs/current/protocol-replication.html (TIMELINE_HISTORY)
 */
async function endOfTimeline(client: pg.Client, present: number, timeline: number): Promise<Lsn | null> {
  if (present === 1) return null;
  const { rows } = await client.query<{ content: Buffer | string }>(`TIMELINE_HISTORY ${present}`);
  for (const line of String(rows[0]!.content).split('\n')) {
    const [number, end] = line.split('\t');
    if (Number(number) === timeline && end !== undefined) return parseLsn(end.trim());
  }
  return null;
}
