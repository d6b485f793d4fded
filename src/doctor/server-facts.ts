import type pg from 'pg';
import { catalogRows } from '../pg/catalog-rows.js';

/** What a server says of itself and of the connection to it, source and trail alike. */
export interface ServerFacts {
  /** As `server_version_num`: 180004 is 18.4. */
  readonly version: number;
  readonly database: string;
  readonly role: string;
  readonly inRecovery: boolean;
  /** The connection is encrypted. */
  readonly encrypted: boolean;
  /** It stays on this machine: over a Unix socket or a loopback address. */
  readonly local: boolean;
  /** What was committed may be lost in a crash of the machine: `fsync` is off. */
  readonly unsafe: boolean;
  /** How far the server's clock is ahead of this machine's, at least; 0 within the time of the question. */
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

/** How far a time lies outside of an interval: behind it positive, before it negative. */
const outside = (time: number, { from, to }: { readonly from: number; readonly to: number }): number =>
  Math.round(Math.max(time - to, 0) - Math.max(from - time, 0));
