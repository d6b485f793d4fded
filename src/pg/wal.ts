import type pg from 'pg';
import { parseLsn, type Lsn } from './lsn.js';

/** Where the WAL of a primary ends now. */
export async function currentLsn(client: pg.Client): Promise<Lsn> {
  const { rows } = await client.query<{ lsn: string }>(
    /* sql */ `select pg_catalog.pg_current_wal_insert_lsn()::text as lsn`,
  );
  return parseLsn(rows[0]!.lsn);
}
