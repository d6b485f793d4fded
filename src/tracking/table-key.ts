import type pg from 'pg';

/** What tells the rows of a table apart. */
export interface TableKey {
  /** In key order; empty without a primary key. */
  readonly primaryKey: readonly string[];
  readonly partitioned: boolean;
}

/** Of one table by oid, for one that was made after the catalog was read; undefined: there is none any more. */
export async function readTableKey(client: pg.Client, oid: number): Promise<TableKey | undefined> {
  const { rows } = await client.query<TableKey>(
    /* sql */ `select c.relkind = 'p' as partitioned,
                      array(select a.attname::text
                              from pg_catalog.pg_index i
                             cross join lateral unnest(i.indkey::int2[]) with ordinality k (attnum, position)
                              join pg_catalog.pg_attribute a on a.attrelid = i.indrelid and a.attnum = k.attnum
                             where i.indrelid = c.oid and i.indisprimary and k.position <= i.indnkeyatts
                             order by k.position) as "primaryKey"
                 from pg_catalog.pg_class c where c.oid = $1::oid`,
    [oid],
  );
  return rows[0];
}
