import type pg from 'pg';
import { formatLsn, type Lsn } from '../../pg/lsn.js';
import { quoteLiteral } from '../../pg/quote.js';
import { queryTrail } from '../query.js';

/** How the baseline of a table ended. Stored, so these words stay as they are. */
export type BaselineOutcome = 'taken' | 'too many rows' | 'too many bytes';

/** A table of which a baseline is asked for. */
export interface WantedBaseline {
  readonly table: string;
  /** Its oid on the source: one that was dropped and made again is another table. */
  readonly oid: string;
  readonly maxRows: number;
  /** Names of the table and its partitions, by which gaps know it. */
  readonly members: readonly string[];
}

/**
 * Reads which of the tables have no baseline since they began to be tracked with one, or none behind their
 * last gap. Not those with an open gap. Forgets tables that are wanted no more.
 *
 * @param options.known names of all tables whose baseline is not forgotten
 * @returns also until when gaps were considered, by the clock of the trail
 */
export async function readDueBaselines(
  client: pg.Client,
  options: {
    readonly wanted: readonly WantedBaseline[];
    readonly known: readonly string[];
    /** Behind a gap a baseline is taken again, but not sooner: whoever owns a table can make gaps of it. */
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
 * Returns the statement for the transaction that stores the entries of a baseline, or that there are none.
 */
export const baselineStatement = (baseline: {
  readonly table: WantedBaseline;
  readonly outcome: BaselineOutcome;
  readonly entries: number;
  readonly lsn: Lsn;
  /** As {@link readDueBaselines} has said it. */
  readonly askedAt: string;
}): string => {
  const { table, outcome, entries, lsn, askedAt } = baseline;
  return (
    `select trail.remember_baseline(${quoteLiteral(table.table)}, ${BigInt(table.oid)}, ${table.maxRows}, ` +
    `${quoteLiteral(outcome)}, ${entries}, '${formatLsn(lsn)}', ${quoteLiteral(askedAt)})`
  );
};
