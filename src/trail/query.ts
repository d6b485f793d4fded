import type pg from 'pg';
import { trailError } from './trail-error.js';

/** Runs a statement on the trail and returns its rows. Throws the error that {@link trailError} returns. */
export async function queryTrail<T extends pg.QueryResultRow>(
  client: pg.Client,
  sql: string,
  values: readonly unknown[] = [],
): Promise<T[]> {
  try {
    return (await client.query<T>(sql, [...values])).rows;
  } catch (error) {
    throw trailError(error);
  }
}
