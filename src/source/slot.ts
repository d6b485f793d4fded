import type pg from 'pg';
import { WaltrailError } from '../errors.js';
import { close, openPinned } from '../pg/connect.js';
import { queryError } from '../pg/connect-error.js';
import { parseLsn, type Lsn } from '../pg/lsn.js';
import { quoteIdentifier } from '../pg/quote.js';
import { replicationClientConfig } from './connection-settings.js';
import { streamError } from './stream-error.js';

/**
 * Identifies the source. A clone or a restored copy has the same identifier. A promoted standby has another
 * timeline.
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
  /** Whether a session reads from it now. */
  readonly active: boolean;
  readonly confirmedFlushLsn: Lsn | null;
  /**
   * Why the source invalidated the slot: `wal_removed`, `idle_timeout` and so on. Null: the slot can be read.
   */
  readonly invalidated: string | null;
}

/** Runs IDENTIFY_SYSTEM on a replication connection. */
export async function identifySystem(client: pg.Client): Promise<SystemIdentity> {
  const { rows } = await client.query<{ systemid: string; timeline: string | number }>('IDENTIFY_SYSTEM');
  return { systemIdentifier: rows[0]!.systemid, timeline: Number(rows[0]!.timeline) };
}

/** Reads the state of a slot; undefined if no slot has that name. */
export async function readSlot(client: pg.Client, slot: string): Promise<SlotState | undefined> {
  const { rows } = await client.query<{
    plugin: string | null;
    database: string | null;
    of_this_database: boolean | null;
    active: boolean;
    confirmed_flush_lsn: string | null;
    invalidated: string | null;
  }>(
    // PostgreSQL has invalidation_reason from 17 on, and conflicting from 16 on. With to_jsonb(), one query
    // works for all versions.
    /* sql */ `select s.plugin, s.database, s.database = pg_catalog.current_database() as of_this_database, s.active, s.confirmed_flush_lsn::text,
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
        active: row.active,
        confirmedFlushLsn: row.confirmed_flush_lsn === null ? null : parseLsn(row.confirmed_flush_lsn),
        invalidated: row.invalidated,
      };
}

/**
 * A slot that was just created. `snapshot` is exactly the state at `startLsn`, so that state and stream
 * together contain everything once.
 */
export interface NewSlot {
  readonly identity: SystemIdentity;
  readonly startLsn: Lsn;
  readonly snapshot: string;
}

/** From this version on, a slot can be copied to standbys, so that it survives a failover. */
const HAS_FAILOVER_SLOTS = 170_000;

/**
 * Creates the slot and calls `begin`. The snapshot exists only until `begin` has finished, and so does a
 * temporary slot.
 */
export async function createSlot(options: {
  readonly url: string;
  /** Cancels: the source may wait for running transactions before it creates a slot. */
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
 * Throws SOURCE_SLOT_FOREIGN for a slot that Waltrail cannot read: of another plugin or database, or a
 * physical one.
 */
export function checkSlotKind(slot: string, state: SlotState): void {
  if (state.plugin === 'pgoutput' && state.ofThisDatabase) return;
  throw new WaltrailError(
    'SOURCE_SLOT_FOREIGN',
    `Slot ${slot} is not a logical slot of pgoutput in this database (plugin: ${state.plugin ?? 'none'}, database: ${state.database ?? 'none'}).`,
  );
}

/**
 * The identity of the source, with the LSN at which it left a timeline. Null: that timeline is the present
 * one, or is not in its history.
 */
export interface SourceIdentity extends SystemIdentity {
  readonly leftTimelineAt: Lsn | null;
}

/**
 * Identifies the source over a separate connection.
 *
 * @param options.timeline the timeline of the last captured changes. If the source is on another one, its end
 *   is looked up.
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
 * Reads where an earlier timeline ended. A history file has a line for each earlier timeline: its number,
 * where it ended and why.
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
