import type pg from 'pg';
import { catalogRows } from '../pg/catalog-rows.js';

/** What tells the rows of a table apart. */
export interface TableKey {
  /** In key order; empty without a primary key. */
  readonly primaryKey: readonly string[];
  readonly partitioned: boolean;
}

/**
 * Of tables by oid, for those that were made or changed after the catalog was read. Those that exist no more
 * are left out.
 */
export async function readTableKeys(
  client: pg.Client,
  oids: readonly number[],
): Promise<ReadonlyMap<number, TableKey>> {
  const rows = await catalogRows<TableKey & { readonly oid: string }>(
    client,
    /* sql */ `select c.oid::text as oid, c.relkind = 'p' as partitioned,
                      array(select a.attname::text
                              from pg_catalog.pg_index i
                             cross join lateral unnest(i.indkey::int2[]) with ordinality k (attnum, position)
                              join pg_catalog.pg_attribute a on a.attrelid = i.indrelid and a.attnum = k.attnum
                             where i.indrelid = c.oid and i.indisprimary and k.position <= i.indnkeyatts
                             order by k.position) as "primaryKey"
                 from pg_catalog.pg_class c where c.oid = any('{${oids.join()}}'::oid[])`,
  );
  return new Map(rows.map(({ oid, ...key }) => [Number(oid), key]));
}
