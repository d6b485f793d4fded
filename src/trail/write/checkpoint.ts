import type pg from 'pg';
import { WaltrailError } from '../../errors.js';
import { close, connect } from '../../pg/connect.js';
import { formatLsn, parseLsn, type Lsn } from '../../pg/lsn.js';
import type { Kind } from '../../tracking/rules.js';
import { rememberNamesRead } from './configuration.js';
import { indexable } from './dictionary.js';
import { ELECTION_LOCK } from '../election.js';
import { takeLock } from '../role-lock.js';
import { takeRole } from '../roles.js';
import { trailError } from '../trail-error.js';

/**
 * Corrects settings that a database or role may have changed, in addition to those that every connection pins
 * (pg/pin.ts). Acknowledged means durable, so a commit must wait for its flush. A host that has disappeared
 * must not keep the election lock for the two hours that TCP waits by default.
 */
const SESSION_SETTINGS = /* sql */ `
  select pg_catalog.set_config(name, wanted.value, false)
    from pg_catalog.pg_settings
    join (values ('synchronous_commit', 'on'),
                 ('tcp_keepalives_idle', '15'), ('tcp_keepalives_interval', '5'), ('tcp_keepalives_count', '3')) as wanted (name, value)
   using (name)
   where name <> 'synchronous_commit' or setting = 'off'`;

/** A transaction, as a source identifies it whenever it sends it. */
export interface SentTransaction {
  readonly commitLsn: Lsn;
  /** Commit time as the source sends it, in microseconds since 2000-01-01. */
  readonly sentAt: bigint;
}

/** The checkpoint row as the writer read it. */
export interface Checkpoint {
  readonly source: string;
  readonly systemIdentifier: string;
  readonly timeline: number;
  readonly slot: string;
  readonly endLsn: Lsn;
  /**
   * End of the last transaction with changes that was stored. Before the first one: where capture began, or
   * continued after a gap. The source sends no change between it and `endLsn`. Null: not known, in a trail of
   * an earlier release.
   */
  readonly lastEndLsn: Lsn | null;
  /** The transaction that ends at `lastEndLsn`; null: none does. */
  readonly lastTransaction: SentTransaction | null;
  readonly nextId: bigint;
  readonly entries: bigint;
  /** Commit time of the last stored transaction in microseconds since 2000-01-01; null: there is none. */
  readonly lastCommittedAt: bigint | null;
}

/**
 * Makes this process the capturing daemon of the trail, unless another process is. Returns the client that
 * holds the election lock, or null.
 */
export async function elect(url: string, signal?: AbortSignal): Promise<pg.Client | null> {
  const client = await connect({ url, side: 'trail', purpose: 'capture', signal });
  try {
    if ((await takeLock(client, ELECTION_LOCK)) !== undefined) {
      await client.query(SESSION_SETTINGS);
      await client.query(/* sql */ `select trail.ensure_partitions(7)`);
      await takeRole(client, 'waltrail_writer');
      return client;
    }
  } catch (error) {
    await close(client);
    throw trailError(error);
  }
  await close(client);
  return null;
}

/** Reads the checkpoint. Returns undefined if the trail has not begun. Throws TRAIL_OTHER_SOURCE. */
export async function readCheckpoint(client: pg.Client, source: string): Promise<Checkpoint | undefined> {
  const rows = await read<{
    source: string;
    system_identifier: string;
    timeline: number;
    slot: string;
    end_lsn: string;
    next_id: string;
    entries: string;
    last_committed_at: string | null;
    last_end_lsn: string | null;
    last_commit_lsn: string | null;
    last_sent_at: string | null;
  }>(
    client,
    /* sql */ `select source, system_identifier, timeline, slot, end_lsn::text, next_id::text, entries::text,
                      last_end_lsn::text, last_commit_lsn::text, last_sent_at::text,
                      case when isfinite(last_committed_at)
                           then ((extract(epoch from last_committed_at) - 946684800) * 1000000)::int8::text end as last_committed_at
                 from trail.checkpoint`,
  );
  const row = rows[0];
  if (row === undefined) return undefined;
  if (row.source !== source) {
    throw new WaltrailError(
      'TRAIL_OTHER_SOURCE',
      `The trail belongs to source ${row.source}, not to ${source}.`,
    );
  }
  return {
    source: row.source,
    systemIdentifier: row.system_identifier,
    timeline: row.timeline,
    slot: row.slot,
    endLsn: parseLsn(row.end_lsn),
    lastEndLsn: row.last_end_lsn === null ? null : parseLsn(row.last_end_lsn),
    lastTransaction:
      row.last_commit_lsn === null
        ? null
        : { commitLsn: parseLsn(row.last_commit_lsn), sentAt: BigInt(row.last_sent_at!) },
    nextId: BigInt(row.next_id),
    entries: BigInt(row.entries),
    lastCommittedAt: row.last_committed_at === null ? null : BigInt(row.last_committed_at),
  };
}

/** A name that holds at the beginning of a trail. */
export interface StartName {
  readonly table: string;
  readonly key: string;
  readonly name: string;
  readonly kind: Kind | null;
  readonly tenant: string | null;
}

/**
 * Begins a trail in one transaction. Stores the checkpoint at `startLsn`, and the names as of that position,
 * batch by batch.
 */
export async function beginTrail(
  client: pg.Client,
  options: {
    readonly source: string;
    readonly identity: { readonly systemIdentifier: string; readonly timeline: number };
    readonly slot: string;
    readonly startLsn: Lsn;
    readonly names: AsyncIterable<readonly StartName[]>;
    /**
     * Names that were read completely, in the form for `rememberNamesRead`. Evaluated after the last batch.
     */
    readonly namesRead: Parameters<typeof rememberNamesRead>[1];
  },
): Promise<void> {
  try {
    await client.query('begin');
    await storeNames(client, { names: options.names, fromId: 0n });
    // Otherwise the next session would read the names again, and use these later names for earlier changes.
    await rememberNamesRead(client, options.namesRead);
    await client.query(
      /* sql */ `insert into trail.checkpoint (source, system_identifier, timeline, slot, start_lsn, end_lsn, last_end_lsn, next_id)
                 values ($1, $2, $3, $4, $5, $5, $5, 0)`,
      [
        options.source,
        options.identity.systemIdentifier,
        options.identity.timeline,
        options.slot,
        formatLsn(options.startLsn),
      ],
    );
    await client.query('commit');
  } catch (error) {
    throw trailError(error);
  }
}

/** Stores names as of entry `fromId`, batch by batch. A name that is already current is not stored again. */
export async function storeNames(
  client: pg.Client,
  options: { readonly names: AsyncIterable<readonly StartName[]>; readonly fromId: bigint },
): Promise<void> {
  for await (const names of options.names) {
    await client.query(
      /* sql */ `select trail.store_names(array_agg(t), array_agg(k), array_agg($6::int8), array_agg(n), array_agg(c), array_agg(o))
                   from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[]) as x (t, k, n, c, o)
                  where not exists (
                    select from (select name, kind, tenant from trail.lookup where table_name = t and key = k order by from_id desc limit 1) held
                     where (held.name, held.kind, held.tenant) is not distinct from (n, c, o))
                 having count(*) > 0`,
      [
        names.map(({ table }) => table),
        names.map(({ key }) => indexable(key)),
        names.map(({ name }) => name),
        names.map(({ kind }) => kind),
        names.map(({ tenant }) => (tenant === null ? null : indexable(tenant))),
        String(options.fromId),
      ],
    );
  }
}

/**
 * Stores for each lookup table whether its rows belong to tenants. Readers of one tenant need this (DECISIONS
 * 57).
 */
export async function storeLookupTables(
  client: pg.Client,
  tables: ReadonlyMap<string, boolean>,
): Promise<void> {
  await client.query(
    /* sql */ `insert into trail.lookup_table (table_name, has_tenants)
               select t, h from unnest($1::text[], $2::boolean[]) as x (t, h)
               on conflict (table_name) do update set has_tenants = excluded.has_tenants
                where lookup_table.has_tenants <> excluded.has_tenants`,
    [[...tables.keys()], [...tables.values()]],
  );
}

/** Reads the trail's secret for hashing redacted values. */
export async function readRedactionKey(client: pg.Client): Promise<Buffer> {
  const [row] = await read<{ value: string }>(
    client,
    /* sql */ `select value from trail.secret where name = 'redaction_key'`,
  );
  if (row === undefined)
    throw new WaltrailError('TRAIL_WRITE_FAILED', 'The trail lacks its redaction key.', {
      remedy:
        'Restore the row redaction_key of trail.secret from a backup. With another key, hashes of redacted values would change.',
    });
  return Buffer.from(row.value);
}

async function read<T extends pg.QueryResultRow>(client: pg.Client, sql: string): Promise<T[]> {
  try {
    return (await client.query<T>(sql)).rows;
  } catch (error) {
    throw trailError(error);
  }
}
