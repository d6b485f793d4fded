import type pg from 'pg';
import { catalogRows } from '../pg/catalog-rows.js';
import { quoteLiteral } from '../pg/quote.js';
import type { CatalogServer } from '../tracking/catalog.js';
import { walRate } from '../tracking/server.js';

/** What of the source says how long capture may stop, and what a failover does. */
export interface SourceFacts {
  /** Undefined: there is no slot of that name. */
  readonly slot: SlotFacts | undefined;
  /** Bytes; null: no limit. */
  readonly keepBytes: number | null;
  /** Average over the time since the server began to count; null: too short, or not known. */
  readonly walBytesPerSecond: number | null;
  /** WAL files on the disk, in bytes; null: the role may not ask. */
  readonly walFilesBytes: number | null;
  /** After this time a slot that nobody reads is given up; null: never. */
  readonly idleTimeoutSeconds: number | null;
  /** Physical standbys that are connected. */
  readonly standbys: number;
}

export interface SlotFacts {
  readonly name: string;
  readonly active: boolean;
  /** Why the source gave it up; null while it can be read from. */
  readonly invalidated: string | null;
  /** WAL that the source keeps for it, and that it has not acknowledged. */
  readonly keptBytes: number;
  readonly unacknowledgedBytes: number;
  /** WAL that may still be written before it is given up; null: there is no limit. */
  readonly leftBytes: number | null;
  /** Seconds since somebody read it; null: it is being read, or that is not known. */
  readonly idleSeconds: number | null;
  /** Null: this version of PostgreSQL copies no slots to standbys. */
  readonly failover: boolean | null;
}

/** @param options.server as the catalog has it */
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
    // to_jsonb() makes one query fit all versions: a column that a version does not have is null.
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
  // Asked by itself: PostgreSQL refuses a function also where no row calls it.
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
