import type { TestDatabase } from '../support/database.ts';

export interface Column {
  readonly name: string;
  /** Name of the base type, such as `varchar`, `int4` or `_text`. */
  readonly type: string;
  /** n of varchar(n) and char(n). */
  readonly length: number | null;
  /** Precision of numeric(p, s). */
  readonly precision: number | null;
  readonly scale: number | null;
  readonly isRequired: boolean;
  readonly hasDefault: boolean;
  /** Labels of an enum. */
  readonly labels: readonly string[] | null;
}

/** A foreign key. In these schemas, foreign keys have one column. */
export interface ForeignKey {
  readonly column: string;
  readonly table: string;
}

export interface Table {
  readonly name: string;
  readonly columns: readonly Column[];
  /** Columns of the primary key. Without one: of the first unique index. Without any: all columns. */
  readonly key: readonly string[];
  readonly foreignKeys: readonly ForeignKey[];
  /** Columns of each unique index, including the primary key. */
  readonly uniques: readonly (readonly string[])[];
}

/** Counts partitions as part of their table: it has the foreign keys of any of them. */
const TABLES_SQL = /* sql */ `
  select c.relname as name,
    (select json_agg(json_build_object(
        'name', a.attname, 'type', coalesce(base.typname, t.typname),
        'length', case when t.typname in ('varchar', 'bpchar') and a.atttypmod > 4 then a.atttypmod - 4 end,
        'precision', case when t.typname = 'numeric' and a.atttypmod > 4 then (a.atttypmod - 4) >> 16 end,
        'scale', case when t.typname = 'numeric' and a.atttypmod > 4 then (a.atttypmod - 4) & 65535 end,
        'isRequired', a.attnotnull, 'hasDefault', a.atthasdef or a.attidentity <> '',
        'labels', (select json_agg(enumlabel order by enumsortorder) from pg_enum where enumtypid = t.oid)
      ) order by a.attnum)
      from pg_attribute a join pg_type t on t.oid = a.atttypid
        left join pg_type base on base.oid = t.typbasetype
      where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped) as columns,
    coalesce((select json_agg(distinct jsonb_build_object('column', a.attname, 'table', f.confrelid::regclass::text))
      from pg_constraint f
        join pg_attribute a on a.attrelid = f.conrelid and a.attnum = f.conkey[1]
      where f.contype = 'f' and (f.conrelid = c.oid or pg_partition_root(f.conrelid) = c.oid)), '[]') as "foreignKeys",
    coalesce((select json_agg((select json_agg(a.attname order by a.attnum)
          from pg_attribute a
          where a.attrelid = c.oid and a.attnum > 0 and (a.attnum = any(i.indkey)
            or i.indexprs is not null and exists (select from pg_depend d
              where d.classid = 'pg_class'::regclass and d.objid = i.indexrelid
                and d.refobjid = c.oid and d.refobjsubid = a.attnum)))
        order by i.indisprimary desc, i.indexrelid)
      from pg_index i where i.indrelid = c.oid and i.indisunique), '[]') as uniques
  from pg_class c
  where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p') and not c.relispartition
  order by c.relname`;

/** Returns the tables of the schema `public` by name, without partitions. */
export async function tablesOf(database: Pick<TestDatabase, 'query'>): Promise<ReadonlyMap<string, Table>> {
  const rows = await database.query<Omit<Table, 'key'>>(TABLES_SQL);
  return new Map(
    rows.map((row) => [row.name, { ...row, key: row.uniques[0] ?? row.columns.map(({ name }) => name) }]),
  );
}
