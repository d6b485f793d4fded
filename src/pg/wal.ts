import type pg from 'pg';
import { parseLsn, type Lsn } from './lsn.js';

/** Where the WAL of a primary ends, and when that is by its clock (RFC 3339, UTC). */
export async function currentPosition(
  client: pg.Client,
): Promise<{ readonly lsn: Lsn; readonly at: string }> {
  const { rows } = await client.query<{
    lsn: string;
    at: string;
  }> // The time first: what is committed after it may lie before the position, but not the other way round.
  (/* sql */ `select pg_catalog.to_char(pg_catalog.clock_timestamp() at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as at,
                      pg_catalog.pg_current_wal_insert_lsn()::text as lsn`);
  const { lsn, at } = rows[0]!;
  return { lsn: parseLsn(lsn), at };
}

/** Where the WAL of a primary ends now. */
export async function currentLsn(client: pg.Client): Promise<Lsn> {
  const { rows } = await client.query<{ lsn: string }>(
    /* sql */ `select pg_catalog.pg_current_wal_insert_lsn()::text as lsn`,
  );
  return parseLsn(rows[0]!.lsn);
}
