import type pg from 'pg';
import { catalogRows } from '../pg/catalog-rows.js';

/** Facts about a server and the connection to it, for source and trail alike. */
export interface ServerFacts {
  /** As in `server_version_num`: 180004 is 18.4. */
  readonly version: number;
  readonly database: string;
  readonly role: string;
  readonly inRecovery: boolean;
  /** Whether the connection is encrypted. */
  readonly encrypted: boolean;
  /** Whether the connection stays on this machine, over a Unix socket or a loopback address. */
  readonly local: boolean;
  /** Whether a crash of the machine may lose committed data, because `fsync` is off. */
  readonly unsafe: boolean;
  /**
   * Least time by which the server's clock is ahead of this machine's; negative if it is behind. 0 if the
   * server's time lies between the start and the end of the query.
   */
  readonly clockAheadMs: number;
}

export async function readServerFacts(client: pg.Client): Promise<ServerFacts> {
  const asked = Date.now();
  const rows = await catalogRows<Omit<ServerFacts, 'clockAheadMs'> & { readonly clockMs: number }>(
    client,
    /* sql */ `
    select
      extract(epoch from clock_timestamp())::float8 * 1000 as "clockMs",
      current_setting('server_version_num')::int4 as version,
      current_database()::text as database,
      current_user::text as role,
      pg_catalog.pg_is_in_recovery() as "inRecovery",
      coalesce((select s.ssl from pg_catalog.pg_stat_ssl s where s.pid = pg_catalog.pg_backend_pid()), false) as encrypted,
      coalesce(pg_catalog.inet_server_addr() << '127.0.0.0/8'::inet or pg_catalog.inet_server_addr() = '::1'::inet, true) as local,
      current_setting('fsync') = 'off' as unsafe`,
  );
  const answered = Date.now();
  const { clockMs, ...facts } = rows[0]!;
  return { ...facts, clockAheadMs: outside(clockMs, { from: asked, to: answered }) };
}

/** Returns the distance of a time from an interval. It is positive after the interval, negative before it. */
const outside = (time: number, { from, to }: { readonly from: number; readonly to: number }): number =>
  Math.round(Math.max(time - to, 0) - Math.max(from - time, 0));
