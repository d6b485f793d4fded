import type pg from 'pg';
import { catalogRows } from '../pg/catalog-rows.js';
import { INSUFFICIENT_PRIVILEGE, QUERY_CANCELED, sqlStateOf } from '../pg/sql-state.js';

/** What {@link readDetails} finds in addition to the catalog that plan reads, by the oid of the table. */
export interface Details {
  readonly references: ReadonlyMap<string, readonly ReadReference[]>;
  readonly checks: ReadonlyMap<string, readonly ReadCheck[]>;
  readonly columns: ReadonlyMap<string, readonly ReadColumn[]>;
  /** Names of extensions. */
  readonly extensions: ReadonlyMap<string, string>;
  /** Labels in order, by the oid of the type. */
  readonly enums: ReadonlyMap<number, readonly string[]>;
  /** The same by the oid of the type of their arrays. */
  readonly enumArrays: ReadonlyMap<number, readonly string[]>;
  /** Names of settings that functions, policies and defaults read. */
  readonly settings: readonly string[];
}

export interface ReadReference {
  readonly column: string;
  /** Oid of the table that the foreign key refers to, and its column. */
  readonly target: string;
  readonly key: string;
}

export interface ReadCheck {
  readonly column: string;
  /** As pg_get_constraintdef() prints it. */
  readonly definition: string;
}

export interface ReadColumn {
  readonly name: string;
  readonly notNull: boolean;
  /** Only for text columns: as pg_get_expr() prints it. */
  readonly defaultValue: string | null;
  readonly distinct: number | null;
  readonly common: readonly string[] | null;
  readonly prefixes: readonly string[] | null;
}

/** Facts of a column that only statistics have. */
type OfStatistics = 'distinct' | 'common' | 'prefixes';

type OfTable<Row> = Row & { readonly oid: string };

/**
 * Reads what a proposal needs in addition to the catalog, one kind after the other. What the role may not
 * read, or what takes longer than the client's limit, is left out and listed in `unread`.
 */
export async function readDetails(
  client: pg.Client,
): Promise<{ readonly details: Details; readonly unread: readonly string[] }> {
  const unread: string[] = [];
  const read = async <Row>(what: string, sql: string): Promise<Row[]> => {
    try {
      return await catalogRows<Row>(client, sql);
    } catch (error) {
      const state = sqlStateOf(error);
      if (state !== QUERY_CANCELED && state !== INSUFFICIENT_PRIVILEGE) throw error;
      unread.push(
        `${what} could not be read: ${state === QUERY_CANCELED ? 'it took too long' : 'the role lacks the right'}.`,
      );
      return [];
    }
  };
  const references = await read<OfTable<ReadReference>>('foreign keys', REFERENCES);
  const checks = await read<OfTable<ReadCheck>>('CHECK constraints', CHECKS);
  const columns = await read<OfTable<Omit<ReadColumn, OfStatistics>>>('defaults of columns', COLUMNS);
  const statistics = await read<OfTable<Sampled>>('pg_stats', STATISTICS);
  const enums = await read<{ readonly oid: number; readonly array: number; readonly labels: string[] }>(
    'enum types',
    ENUMS,
  );
  const extensions = await read<OfTable<{ readonly extension: string }>>('extensions', EXTENSIONS);
  const settings = await read<{ readonly setting: string }>('functions and policies', SETTINGS);
  const hidden = await read<{ readonly tables: number }>('privileges on tables', HIDDEN);
  if ((hidden[0]?.tables ?? 0) > 0)
    unread.push(
      `This role cannot read pg_stats of ${hidden[0]!.tables} tables, so what only their statistics show is missing.`,
    );
  return {
    unread,
    details: {
      references: grouped(references),
      checks: grouped(checks),
      columns: grouped(withStatistics(columns, statistics)),
      enums: new Map(enums.map(({ oid, labels }) => [oid, labels])),
      enumArrays: new Map(enums.map(({ array, labels }) => [array, labels])),
      extensions: new Map(extensions.map(({ oid, extension }) => [oid, extension])),
      settings: settings.map(({ setting }) => setting),
    },
  };
}

type Sampled = Pick<ReadColumn, 'name' | 'common' | 'prefixes'> & { readonly distinct: number };

function withStatistics(
  columns: readonly OfTable<Omit<ReadColumn, OfStatistics>>[],
  statistics: readonly OfTable<Sampled>[],
): OfTable<ReadColumn>[] {
  const byColumn = new Map(statistics.map((row) => [`${row.oid} ${row.name}`, row]));
  return columns.map((column) => {
    const found = byColumn.get(`${column.oid} ${column.name}`);
    return {
      ...column,
      distinct: found?.distinct ?? null,
      common: found?.common ?? null,
      prefixes: found?.prefixes ?? null,
    };
  });
}

function grouped<Row>(rows: readonly OfTable<Row>[]): Map<string, Row[]> {
  const groups = new Map<string, Row[]>();
  for (const row of rows) {
    const group = groups.get(row.oid);
    if (group === undefined) groups.set(row.oid, [row]);
    else group.push(row);
  }
  return groups;
}

const USERS_OWN = /* sql */ `c.relkind in ('r', 'p', 'f') and not pg_catalog.starts_with(n.nspname::text, 'pg_') and n.nspname <> 'information_schema'`;

/** Foreign keys of one column. Foreign keys of partitions belong to their table. */
const REFERENCES = /* sql */ `
  select k.conrelid::text as oid, a.attname::text as column, k.confrelid::text as target, f.attname::text as key
    from pg_catalog.pg_constraint k
    join pg_catalog.pg_attribute a on a.attrelid = k.conrelid and a.attnum = k.conkey[1]
    join pg_catalog.pg_attribute f on f.attrelid = k.confrelid and f.attnum = k.confkey[1]
   where k.contype = 'f' and pg_catalog.cardinality(k.conkey) = 1 and k.conparentid = 0
   order by k.conrelid, a.attnum, k.conname`;

/** Constraints that compare one column with a list. */
const CHECKS = /* sql */ `
  select k.conrelid::text as oid, a.attname::text as column, d.definition
    from pg_catalog.pg_constraint k
    join pg_catalog.pg_attribute a on a.attrelid = k.conrelid and a.attnum = k.conkey[1]
   cross join lateral (select pg_catalog.pg_get_constraintdef(k.oid) as definition) d
   where k.contype = 'c' and k.conrelid <> 0 and pg_catalog.cardinality(k.conkey) = 1
     and d.definition like '%= ANY (%ARRAY[%' and pg_catalog.length(d.definition) < 4000
   order by k.conrelid, k.conname`;

const COLUMNS = /* sql */ `
  select a.attrelid::text as oid, a.attname::text as name, a.attnotnull as "notNull",
         case when a.atttypid in (25, 1042, 1043) then pg_catalog.pg_get_expr(d.adbin, d.adrelid) end as "defaultValue"
    from pg_catalog.pg_attribute a
    join pg_catalog.pg_class c on c.oid = a.attrelid
    join pg_catalog.pg_namespace n on n.oid = c.relnamespace
    left join pg_catalog.pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
   where a.attnum > 0 and not a.attisdropped and ${USERS_OWN}`;

/**
 * Sampled values of integers and of columns named type, and the number of different values of others. For
 * texts that say who did something: only the part before the last one, if there are few different ones.
 * pg_stats shows a role only columns that it may read.
 */
const STATISTICS = /* sql */ `
  select c.oid::text as oid, s.attname::text as name, s.n_distinct::float8 as distinct,
         case when (a.atttypid in (21, 23) and s.n_distinct between 0 and 40)
                or (a.atttypid in (25, 1043) and (s.attname = 'type' or s.attname like '%\\_type')
                    -- A share of the rows, in a small table.
                    and greatest(s.n_distinct, -s.n_distinct * c.reltuples) between 0 and 40)
              then s.most_common_vals::text::text[] end as common,
         case when a.atttypid in (25, 1043) and s.attname ~ '^(?:whodunnit|actor|performer|\\w+_by)(?:_id)?$' then
           (select case when count(*) <= 8 then array_agg(found.prefix order by found.prefix) end
              from (select distinct substring(value from '^([A-Za-z][\\w.:/|#\\\\-]{0,60}[/:|#])[^/:|#]+$') as prefix
                      from unnest(coalesce(s.most_common_vals::text::text[], '{}') ||
                                  coalesce(s.histogram_bounds::text::text[], '{}')) value) found
             where found.prefix is not null) end as prefixes
    from pg_catalog.pg_stats s
    join pg_catalog.pg_namespace n on n.nspname = s.schemaname
    join pg_catalog.pg_class c on c.relnamespace = n.oid and c.relname = s.tablename
    join pg_catalog.pg_attribute a on a.attrelid = c.oid and a.attname = s.attname
   where a.atttypid in (20, 21, 23, 25, 1043) and ${USERS_OWN} and s.inherited = (c.relkind = 'p')`;

const HIDDEN = /* sql */ `
  select count(*)::int4 as tables
    from pg_catalog.pg_class c
    join pg_catalog.pg_namespace n on n.oid = c.relnamespace
   where ${USERS_OWN} and not c.relispartition and not pg_catalog.has_any_column_privilege(c.oid, 'select')`;

/** Names of settings only, and a limited number: a function may read any number. */
const SETTINGS = /* sql */ `
  with texts as (
    select case when p.prosqlbody is null then p.prosrc else pg_catalog.pg_get_function_sqlbody(p.oid) end as text
      from pg_catalog.pg_proc p
      join pg_catalog.pg_namespace n on n.oid = p.pronamespace
     where not pg_catalog.starts_with(n.nspname::text, 'pg_') and n.nspname not in ('information_schema', 'waltrail')
    union all select pg_catalog.pg_get_expr(polqual, polrelid) from pg_catalog.pg_policy
    union all select pg_catalog.pg_get_expr(polwithcheck, polrelid) from pg_catalog.pg_policy
    union all select pg_catalog.pg_get_expr(adbin, adrelid) from pg_catalog.pg_attrdef
  )
  select distinct pg_catalog.lower(found.names[1]) as setting
    from texts
   cross join lateral pg_catalog.regexp_matches(texts.text, 'current_setting\\(\\s*''([A-Za-z_][A-Za-z0-9_]*(?:\\.[A-Za-z_][A-Za-z0-9_]*)+)''', 'g') as found(names)
   where texts.text like '%current_setting%' and pg_catalog.length(found.names[1]) <= 63
   order by 1
   limit 100`;

const ENUMS = /* sql */ `
  select e.enumtypid::int8::float8 as oid, t.typarray::int8::float8 as array,
         array_agg(e.enumlabel::text order by e.enumsortorder) as labels
    from pg_catalog.pg_enum e
    join pg_catalog.pg_type t on t.oid = e.enumtypid
   group by e.enumtypid, t.typarray
  having count(*) <= 40`;

const EXTENSIONS = /* sql */ `
  select d.objid::text as oid, x.extname::text as extension
    from pg_catalog.pg_depend d
    join pg_catalog.pg_extension x on x.oid = d.refobjid
   where d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
     and d.refclassid = 'pg_catalog.pg_extension'::pg_catalog.regclass and d.deptype = 'e' and d.objsubid = 0`;
