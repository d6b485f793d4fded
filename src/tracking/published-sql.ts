import { quoteLiteral } from '../pg/quote.js';
import { REPORTING, TRIGGER_SCHEMA } from './reports.js';

/* SQL with which published.ts reads the source's catalog. */

/**
 * Digests numbers and versions of all relevant rows of the catalog, on the server. A changed row is a new
 * version with another xmin. The digest is a sum, because order does not matter (measured: see DECISIONS 43).
 * Columns are included for published tables only, because a column that the YAML names may be renamed
 * (DECISIONS 62).
 */
export const digestSql = (version: number): string => /* sql */ `
  select pg_catalog.concat_ws(' ',
    (select pg_catalog.sum(pg_catalog.hashtextextended(pg_catalog.concat_ws(' ', c.oid, c.xmin), 0))
       from pg_catalog.pg_class c where c.relkind in ('r', 'p', 'v', 'm', 'f') and c.relpersistence <> 't'),
    (select pg_catalog.sum(pg_catalog.hashtextextended(pg_catalog.concat_ws(' ', i.indexrelid, i.xmin), 0))
       from pg_catalog.pg_index i
       join pg_catalog.pg_class c on c.oid = i.indrelid and c.relkind in ('r', 'p') and c.relpersistence <> 't'
      where i.indisprimary or i.indisreplident),
    -- the sum of xmin, shifted by a constant: age() takes half the time of a cast to text
    (select pg_catalog.sum(pg_catalog.age(a.xmin)::int8) - pg_catalog.count(*) * pg_catalog.age('3'::xid)
       from (select r.prrelid as relid from pg_catalog.pg_publication_rel r${
         version >= HAS_SCHEMA_PUBLICATIONS
           ? `
             union all select c.oid from pg_catalog.pg_publication_namespace s
               join pg_catalog.pg_class c on c.relnamespace = s.pnnspid and c.relkind in ('r', 'p')`
           : ''
       }) published
       join pg_catalog.pg_attribute a on a.attrelid = published.relid and a.attnum > 0),
    (select pg_catalog.sum(pg_catalog.hashtextextended(pg_catalog.concat_ws(' ', i.inhrelid, i.inhparent, i.xmin), 0))
       from pg_catalog.pg_inherits i
       join pg_catalog.pg_class c on c.oid = i.inhrelid and c.relkind in ('r', 'p', 'f')),
    (select pg_catalog.sum(pg_catalog.hashtextextended(pg_catalog.concat_ws(' ', n.oid, n.xmin), 0)) from pg_catalog.pg_namespace n),
    (select pg_catalog.sum(pg_catalog.hashtextextended(pg_catalog.concat_ws(' ', p.oid, p.xmin), 0)) from pg_catalog.pg_publication p),
    (select pg_catalog.sum(pg_catalog.hashtextextended(pg_catalog.concat_ws(' ', r.oid, r.xmin), 0)) from pg_catalog.pg_publication_rel r),
    ${version >= HAS_SCHEMA_PUBLICATIONS ? "(select pg_catalog.sum(pg_catalog.hashtextextended(pg_catalog.concat_ws(' ', s.oid, s.xmin), 0)) from pg_catalog.pg_publication_namespace s)" : 'null'}
  ) as digest`;

/** The version from which on a publication can hold whole schemas. */
export const HAS_SCHEMA_PUBLICATIONS = 150_000;

// to_jsonb() makes one query work on all versions. xmin reveals options that were changed and changed back. A
// partitioned table holds no rows itself. Its partitions are found without pg_partition_tree(), which takes a
// lock. An index that was built with a rewritten table has counted its rows. The type of a table's rows is
// created with the table. So a partition with a type older than its place was attached.
export const stateSql = (publication: string, version: number): string => /* sql */ `
  with recursive ${LINE}, wanted as (
    select p.*, p.xmin::text as version
      from (values (${quoteLiteral(publication)}::text)) as given (name)
      left join pg_catalog.pg_publication p on p.pubname = given.name
  ), listed (relid, membership, of_schema) as (
    select r.prrelid, (pg_catalog.to_jsonb(r) - array['prpubid', 'prrelid'])::text,
           ${version >= HAS_SCHEMA_PUBLICATIONS ? OF_SCHEMA : 'null::text'}
      from wanted p join pg_catalog.pg_publication_rel r on r.prpubid = p.oid
    ${version >= HAS_SCHEMA_PUBLICATIONS ? `union all ${BY_SCHEMA}` : ''}
  ), member (root, oid, attached) as (
    select t.relid, t.relid, false from listed t
    union all
    select m.root, i.inhrelid, m.attached or pg_catalog.age(t.xmin) > pg_catalog.age(i.xmin)
      from member m
      join pg_catalog.pg_class c on c.oid = m.oid and c.relkind = 'p'
      join pg_catalog.pg_inherits i on i.inhparent = c.oid
      join pg_catalog.pg_class part on part.oid = i.inhrelid
      join pg_catalog.pg_type t on t.oid = part.reltype
  ), described as (
    select m.root, c.oid, c.relkind = 'r' as is_heap, m.attached,
           array_agg(case when not a.attisdropped then a.attname end order by a.attnum) as columns,
           array_agg(a.attnum order by a.attnum) filter (
             where not a.attisdropped and (a.atthasmissing or c.relkind = 'p' and a.atthasdef)) as defaulted,
           min(a.attnum) filter (where a.xmin = c.xmin and not a.attisdropped) as touched,
           max(a.attnum) filter (where a.xmin = c.xmin and not a.attisdropped
             and (a.atthasdef or a.attidentity <> '') and not a.atthasmissing) as filled
      from member m
      join pg_catalog.pg_class c on c.oid = m.oid and c.relkind in ('r', 'p')
      left join pg_catalog.pg_attribute a on a.attrelid = c.oid and a.attnum > 0
     group by m.root, c.oid, c.relkind, m.attached
  ), heap as (
    select d.root, pg_catalog.json_object_agg(d.oid, pg_catalog.json_strip_nulls(pg_catalog.json_build_object(
             'file', c.relfilenode::text, 'toast', c.reltoastrelid::text,
             'touched', d.touched, 'filled', d.filled, 'empty', nullif(c.relhasindex and c.reltuples <= 0, false),
             'partition', case when c.relispartition then pg_catalog.json_build_object('schema', n.nspname, 'table', c.relname) end,
             'attached', nullif(d.attached, false)))) as heaps
      from described d
      join pg_catalog.pg_class c on c.oid = d.oid
      join pg_catalog.pg_namespace n on n.oid = c.relnamespace
     where d.is_heap
     group by d.root
  )
  select pg_catalog.json_build_object(
    'publication', p.oid::text,
    'options', (pg_catalog.to_jsonb(p) - array['oid', 'pubname', 'pubowner', 'version'])::text,
    'version', p.version,
    'owner', pg_catalog.pg_get_userbyid(p.pubowner),
    ${version >= HAS_SCHEMA_PUBLICATIONS ? SCHEMAS : "'schemas', '[]'::jsonb"},
    'reports', (
      select pg_catalog.string_agg(pg_catalog.concat_ws(' ', t.oid, t.xmin, f.oid, f.xmin), ' ' order by t.evtname)
        from pg_catalog.pg_event_trigger t
        join pg_catalog.pg_proc f on f.oid = t.evtfoid
        join pg_catalog.pg_namespace n on n.oid = f.pronamespace and n.nspname = ${quoteLiteral(TRIGGER_SCHEMA)}
       where t.evtenabled = 'A' and t.evtname in (${REPORTING.map((name) => quoteLiteral(`${publication}_${name}`)).join(', ')})
      having count(*) = ${REPORTING.length}),
    'tables', coalesce((
      select pg_catalog.json_object_agg(c.oid, pg_catalog.json_strip_nulls(pg_catalog.json_build_object(
               'schema', n.nspname, 'table', c.relname,
               'membership', t.membership, 'schemaMembership', t.of_schema,
               'identity', c.relreplident::text,
               'columns', d.columns, 'defaulted', d.defaulted, 'heaps', h.heaps)))
        from listed t
        join pg_catalog.pg_class c on c.oid = t.relid
        join pg_catalog.pg_namespace n on n.oid = c.relnamespace
        join described d on d.root = c.oid and d.oid = c.oid
        left join heap h on h.root = c.oid), '{}')) as state
    from wanted p`;

/** Each partition with all its ancestors. Not by pg_partition_ancestors(), which ignores the snapshot. */
const LINE = /* sql */ `line (relid, ancestor) as (
      select c.oid, i.inhparent from pg_catalog.pg_class c
        join pg_catalog.pg_inherits i on i.inhrelid = c.oid where c.relispartition
      union all
      select line.relid, i.inhparent from line
        join pg_catalog.pg_class c on c.oid = line.ancestor and c.relispartition
        join pg_catalog.pg_inherits i on i.inhrelid = c.oid)`;

const SCHEMAS = /* sql */ `'schemas', coalesce((
      select pg_catalog.jsonb_agg(s.oid::text order by s.oid) from pg_catalog.pg_publication_namespace s where s.pnpubid = p.oid), '[]')`;

/** The membership of the schema of a listed table. */
const OF_SCHEMA = /* sql */ `(
                       select s.oid::text from pg_catalog.pg_publication_namespace s
                         join pg_catalog.pg_class m on m.relnamespace = s.pnnspid
                        where s.pnpubid = p.oid and m.oid = r.prrelid)`;

/**
 * Tables that only their schema publishes. A partition of a published table is left out: its changes are sent
 * as that table's.
 */
const BY_SCHEMA = /* sql */ `
    select m.oid, null, s.oid::text
      from wanted p
      join pg_catalog.pg_publication_namespace s on s.pnpubid = p.oid
      join pg_catalog.pg_class m on m.relnamespace = s.pnnspid
     where m.relkind in ('r', 'p') and m.relpersistence = 'p'
     and not exists (select from pg_catalog.pg_publication_rel r where r.prpubid = p.oid and r.prrelid = m.oid)
     and not (m.relispartition and exists (
           select from line
             join pg_catalog.pg_class root on root.oid = line.ancestor
            where line.relid = m.oid and (
                  exists (select from pg_catalog.pg_publication_namespace q where q.pnpubid = p.oid and q.pnnspid = root.relnamespace)
                  or exists (select from pg_catalog.pg_publication_rel q where q.prpubid = p.oid and q.prrelid = root.oid))))`;

/** Reads what became of tables: oids in $1, names in $2 and $3, published by $4. See `TableFate`. */
export const fateSql = (version: number): string => /* sql */ `
  with recursive ${LINE}
  select known.oid::text,
         not exists (select from pg_catalog.pg_class c where c.oid = known.oid) as gone,
         (select c.oid::text from pg_catalog.pg_class c
            join pg_catalog.pg_namespace n on n.oid = c.relnamespace
           where n.nspname = known.schema and c.relname = known.name
             and c.relkind in ('r', 'p') and c.oid <> known.oid) as replaced_by,
         exists (select from line
                   join pg_catalog.pg_class c on c.oid = line.ancestor
                   join pg_catalog.pg_publication p on p.pubname = $4
                  where line.relid = known.oid and (
                        exists (select from pg_catalog.pg_publication_rel r where r.prpubid = p.oid and r.prrelid = c.oid)
                        ${version >= HAS_SCHEMA_PUBLICATIONS ? 'or exists (select from pg_catalog.pg_publication_namespace s where s.pnpubid = p.oid and s.pnnspid = c.relnamespace)' : ''}
                        )) as covered
    from unnest($1::oid[], $2::text[], $3::text[]) as known (oid, schema, name)`;

/**
 * Returns those of the tables $1 that were created by the transaction that added them to publication $3, and
 * whose files are all empty. $2 has, for each of $1, a table that holds its rows. A type is created with its
 * table and not changed with it. The size of a file is the present one, whatever the snapshot.
 */
export const UNWRITTEN = /* sql */ `
  select given.oid::text
    from unnest($1::oid[], $2::oid[]) as given (oid, heap)
    join pg_catalog.pg_class c on c.oid = given.oid
    join pg_catalog.pg_type t on t.oid = c.reltype
    join pg_catalog.pg_publication_rel r on r.prrelid = c.oid and r.prpubid = $3 and r.xmin = t.xmin
   group by given.oid
  having bool_and(coalesce(pg_catalog.pg_relation_size(given.heap), 1) = 0)`;
