import type pg from 'pg';
import type { ErrorCode } from '../errors.js';

/** A gap as a reader sees it; positions as `16/B374D848`, times as ISO 8601 in UTC with microseconds. */
export interface Gap {
  readonly id: number;
  /** What happened; ERROR_CODES has the remedy. */
  readonly code: ErrorCode;
  /** `schema.table` of those that may lack changes; null: every tracked table. */
  readonly tables: readonly string[] | null;
  readonly fromLsn: string;
  /** Null while it is not known. */
  readonly toLsn: string | null;
  /** Commit time of the last transaction stored before; null where there was none. */
  readonly lastEntryAt: string | null;
  readonly foundAt: string;
  /** When an operator let capture go on; null also where the YAML did. */
  readonly acceptedAt: string | null;
  /** When capture went on; null: the trail ends at this gap. */
  readonly closedAt: string | null;
}

/** The gaps of a trail, newest first. */
export async function listGaps(
  client: Pick<pg.ClientBase, 'query'>,
  options: { readonly limit: number },
): Promise<Gap[]> {
  const utc = (column: string): string =>
    `to_char(${column} at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as "${column.replaceAll(/_(.)/g, (_, letter: string) => letter.toUpperCase())}"`;
  const { rows } = await client.query<Gap>(
    /* sql */ `select id, code, tables, from_lsn::text as "fromLsn", to_lsn::text as "toLsn",
                      ${['last_entry_at', 'found_at', 'accepted_at', 'closed_at'].map(utc).join(', ')}
                 from trail.gap order by id desc limit $1`,
    [options.limit],
  );
  return rows;
}
