import type pg from 'pg';
import { formatLsn, type Lsn } from '../../pg/lsn.js';
import { quoteLiteral } from '../../pg/quote.js';
import { queryTrail } from '../query.js';

/** How the baseline of a table ended. The words are stored in the trail, so they must not change. */
export type BaselineOutcome = 'taken' | 'too many rows' | 'too many bytes';

/** A table for which a baseline is wanted. */
export interface WantedBaseline {
  readonly table: string;
  /**
   * Its oid on the source. A table that was dropped and recreated has another oid, and counts as another
   * table.
   */
  readonly oid: string;
  readonly maxRows: number;
  /** Names of the table and its partitions. Gaps refer to the table by any of them. */
  readonly members: readonly string[];
}

/**
 * Reads which of the wanted tables are due for a baseline. A table is due if it has none, if it was recreated
 * since, or if a gap was closed since. It is also due if its baseline had too many rows or bytes and
 * `maxRows` is now higher. A table with an open gap is never due. Forgets the baselines of all tables that
 * are not in `known`.
 *
 * @param options.known names of the tables that keep their baselines
 * @returns the due tables; `askedAt`: the time, by the trail's clock, up to which gaps were considered
 */
export async function readDueBaselines(
  client: pg.Client,
  options: {
    readonly wanted: readonly WantedBaseline[];
    readonly known: readonly string[];
    /**
     * Shortest time between two baselines of a table. After a gap a baseline is taken again, and the owner of
     * a table can cause gaps at will.
     */
    readonly againMs: number;
  },
): Promise<{ readonly due: ReadonlySet<string>; readonly askedAt: string }> {
  const { wanted, known, againMs } = options;
  await queryTrail(client, /* sql */ `select trail.forget_baselines($1)`, [known]);
  const [row] = await queryTrail<{ due: string[]; asked_at: string }>(
    client,
    /* sql */ `
    with wanted as (
      select w->>'table' as table_name, (w->>'oid')::int8 as oid, (w->>'maxRows')::int4 as row_limit,
             array(select pg_catalog.jsonb_array_elements_text(w->'members')) as members
        from pg_catalog.jsonb_array_elements($1::jsonb) as w
    )
    select pg_catalog.clock_timestamp()::text as asked_at, array(
      select w.table_name
        from wanted w
        left join trail.baseline b using (table_name)
       where not exists (select from trail.gap g where g.closed_at is null and (g.tables is null or g.tables && w.members))
         and (b.table_name is null
              or b.oid <> w.oid
              or (b.outcome <> 'taken' and b.row_limit < w.row_limit)
              or (b.stored_at < pg_catalog.clock_timestamp() - $2 * interval '1 millisecond'
                  and exists (select from trail.gap g where g.closed_at > b.asked_at and (g.tables is null or g.tables && w.members))))
       order by 1) as due`,
    [JSON.stringify(wanted), againMs],
  );
  return { due: new Set(row!.due), askedAt: row!.asked_at };
}

/**
 * Returns the statement that records a baseline. It belongs in the transaction that stores the baseline's
 * entries, if there are any.
 */
export const baselineStatement = (baseline: {
  readonly table: WantedBaseline;
  readonly outcome: BaselineOutcome;
  readonly entries: number;
  readonly lsn: Lsn;
  /** As {@link readDueBaselines} returned it. */
  readonly askedAt: string;
}): string => {
  const { table, outcome, entries, lsn, askedAt } = baseline;
  return (
    `select trail.remember_baseline(${quoteLiteral(table.table)}, ${BigInt(table.oid)}, ${table.maxRows}, ` +
    `${quoteLiteral(outcome)}, ${entries}, '${formatLsn(lsn)}', ${quoteLiteral(askedAt)})`
  );
};
