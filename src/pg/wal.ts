import type pg from 'pg';
import { parseLsn, type Lsn } from './lsn.js';

/** Returns the end of the WAL of a primary, and the time of its clock (RFC 3339, UTC). */
export async function currentPosition(
  client: pg.Client,
): Promise<{ readonly lsn: Lsn; readonly at: string }> {
  const { rows } = await client.query<{
    lsn: string;
    at: string;
  }> // The time is read first: a transaction that commits after that time may lie before the position, but never the other way round.
  (/* sql */ `select pg_catalog.to_char(pg_catalog.clock_timestamp() at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as at,
                      pg_catalog.pg_current_wal_insert_lsn()::text as lsn`);
  const { lsn, at } = rows[0]!;
  return { lsn: parseLsn(lsn), at };
}

/** Returns the present end of the WAL of a primary. */
export async function currentLsn(client: pg.Client): Promise<Lsn> {
  const { rows } = await client.query<{ lsn: string }>(
    /* sql */ `select pg_catalog.pg_current_wal_insert_lsn()::text as lsn`,
  );
  return parseLsn(rows[0]!.lsn);
}
