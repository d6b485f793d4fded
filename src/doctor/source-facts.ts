import type pg from 'pg';
import { catalogRows } from '../pg/catalog-rows.js';
import { quoteLiteral } from '../pg/quote.js';
import type { CatalogServer } from '../tracking/catalog.js';
import { walRate } from '../tracking/server.js';

/** Facts about the source that decide how long capture may be stopped and what a failover causes. */
export interface SourceFacts {
  /** Undefined: there is no slot with that name. */
  readonly slot: SlotFacts | undefined;
  /** Limit for the WAL that slots keep, in bytes. Null: no limit. */
  readonly keepBytes: number | null;
  /** Average since the server began to count. Null if that time is too short or not known. */
  readonly walBytesPerSecond: number | null;
  /** Size of the WAL files on the disk, in bytes. Null: the role may not read it. */
  readonly walFilesBytes: number | null;
  /** Time after which a slot that is not read is invalidated. Null: never. */
  readonly idleTimeoutSeconds: number | null;
  /** Number of physical standbys that are connected. */
  readonly standbys: number;
}

export interface SlotFacts {
  readonly name: string;
  readonly active: boolean;
  /** Why the source has invalidated the slot. Null while the slot can be read. */
  readonly invalidated: string | null;
  /** Bytes of WAL that the source keeps for the slot, and those that are not acknowledged. */
  readonly keptBytes: number;
  readonly unacknowledgedBytes: number;
  /** Bytes of WAL that may still be written before the slot is invalidated. Null: there is no limit. */
  readonly leftBytes: number | null;
  /** Seconds since the slot was last read. Null: it is being read, or the time is not known. */
  readonly idleSeconds: number | null;
  /** Whether the slot is copied to standbys. Null: this version of PostgreSQL cannot do that. */
  readonly failover: boolean | null;
}

/**
 * Reads the facts about the source.
 *
 * @param options.server as read with the catalog
 */
export async function readSourceFacts(
  client: pg.Client,
  { slot, server }: { readonly slot: string; readonly server: Omit<CatalogServer, 'pooled'> },
): Promise<SourceFacts> {
  const rows = await catalogRows<
    Pick<SourceFacts, 'idleTimeoutSeconds' | 'standbys'> & {
      readonly slot: SlotFacts | null;
      readonly mayListWal: boolean;
    }
  >(
    client,
    // With to_jsonb(), one query fits all versions: a column that a version does not have is null.
    /* sql */ `
    select
      (select pg_catalog.jsonb_build_object(
                'name', s.slot_name, 'active', s.active,
                'invalidated', coalesce(j ->> 'invalidation_reason',
                                        case when s.wal_status = 'lost' then 'wal_removed' when (j ->> 'conflicting')::boolean then 'conflicting' end),
                'keptBytes', greatest(coalesce(pg_catalog.pg_wal_lsn_diff(here.lsn, s.restart_lsn), 0), 0)::float8,
                'unacknowledgedBytes', greatest(coalesce(pg_catalog.pg_wal_lsn_diff(here.lsn, s.confirmed_flush_lsn), 0), 0)::float8,
                'leftBytes', s.safe_wal_size::float8,
                'idleSeconds', extract(epoch from clock_timestamp() - (j ->> 'inactive_since')::timestamptz)::float8,
                'failover', (j ->> 'failover')::boolean)
         from pg_catalog.pg_replication_slots s, lateral (select pg_catalog.to_jsonb(s) as j) x,
              -- a standby has no current position
              lateral (select case when pg_catalog.pg_is_in_recovery() then pg_catalog.pg_last_wal_receive_lsn()
                                   else pg_catalog.pg_current_wal_lsn() end as lsn) here
        where s.slot_name = ${quoteLiteral(slot)}) as slot,
      pg_catalog.has_function_privilege('pg_catalog.pg_ls_waldir()', 'execute') as "mayListWal",
      (select nullif(s.setting::float8 * case s.unit when 'ms' then 0.001 when 'min' then 60 when 'h' then 3600 when 'd' then 86400 else 1 end, 0)
         from pg_catalog.pg_settings s where s.name = 'idle_replication_slot_timeout') as "idleTimeoutSeconds",
      (select count(*)::int4 from pg_catalog.pg_stat_replication r
        where not exists (select from pg_catalog.pg_replication_slots s where s.active_pid = r.pid and s.slot_type = 'logical')) as standbys`,
  );
  const { slot: found, mayListWal, ...facts } = rows[0]!;
  // A separate statement: PostgreSQL refuses a function without right to it even if no row calls it.
  const walFilesBytes = mayListWal ? await readWalFiles(client) : null;
  return {
    ...facts,
    keepBytes: server.maxSlotWalKeepBytes,
    walBytesPerSecond: walRate(server),
    walFilesBytes,
    slot: found ?? undefined,
  };
}

async function readWalFiles(client: pg.Client): Promise<number> {
  const rows = await catalogRows<{ readonly bytes: number }>(
    client,
    /* sql */ `select coalesce(sum(f.size), 0)::float8 as bytes from pg_catalog.pg_ls_waldir() f`,
  );
  return rows[0]!.bytes;
}
