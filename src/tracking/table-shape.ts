import type pg from 'pg';
import { catalogRows } from '../pg/catalog-rows.js';
import { attributeColumns, xidOf, type Attribute } from './attributes.js';
import { typesSql, type CatalogType } from './value-kind.js';

/** What identifies a table's rows and columns. */
export interface TableShape {
  /** In key order; empty without a primary key. */
  readonly primaryKey: readonly string[];
  /**
   * Low 32 bits of the id of the transaction that created the primary key; null: long ago, or there is no
   * key.
   */
  readonly keyXid: number | null;
  readonly partitioned: boolean;
  readonly attributes: readonly Attribute[];
}

/**
 * Reads the shapes of tables by oid, for tables that were created or changed after the catalog was read.
 * `types` are the types of their columns that are not built into PostgreSQL. Tables that no longer exist are
 * left out.
 */
export async function readTableShapes(
  client: pg.Client,
  oids: readonly number[],
): Promise<{
  readonly shapes: ReadonlyMap<number, TableShape>;
  readonly types: readonly CatalogType[];
}> {
  const list = `'{${oids.join()}}'::oid[]`;
  const rows = await catalogRows<TableShape & { readonly oid: string }>(
    client,
    /* sql */ `select c.oid::text as oid, c.relkind = 'p' as partitioned,
                      array(select a.attname::text
                              from pg_catalog.pg_index i
                             cross join lateral unnest(i.indkey::int2[]) with ordinality k (attnum, position)
                              join pg_catalog.pg_attribute a on a.attrelid = i.indrelid and a.attnum = k.attnum
                             where i.indrelid = c.oid and i.indisprimary and k.position <= i.indnkeyatts
                             order by k.position) as "primaryKey",
                      (select ${xidOf('k')} from pg_catalog.pg_constraint k
                        where k.conrelid = c.oid and k.contype = 'p') as "keyXid",
                      pg_catalog.array_to_json(array(
                        select pg_catalog.row_to_json(t)
                          from (select ${attributeColumns('a')}
                                  from pg_catalog.pg_attribute a
                                 where a.attrelid = c.oid and a.attnum > 0) t
                         order by t.number)) as attributes
                 from pg_catalog.pg_class c where c.oid = any(${list})`,
  );
  const types = await catalogRows<CatalogType>(
    client,
    typesSql(/* sql */ `from pg_catalog.pg_attribute a where a.attrelid = any(${list}) and a.attnum > 0`),
  );
  return { shapes: new Map(rows.map(({ oid, ...shape }) => [Number(oid), shape])), types };
}
