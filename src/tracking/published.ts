import type pg from 'pg';
import { catalogRows } from '../pg/catalog-rows.js';
import type { Lsn } from '../pg/lsn.js';
import { quoteLiteral } from '../pg/quote.js';
import { isBytesText } from '../pg/text.js';
import { runningTransactions } from '../pg/running.js';
import { serverVersion } from '../pg/server-version.js';
import { currentLsn } from '../pg/wal.js';
import type { ColumnName, TableName } from './names.js';
import { REPORTING, TRIGGER_SCHEMA } from './reports.js';
import type { TableContents } from './rewrites.js';

/**
 * What decides which changes the stream carries, as one look at the source found it. Compared with the last
 * look, it tells what the stream does not: that a table was unpublished for a while, or the publication made
 * anew.
 */
export interface PublishedState {
  /** Identity of the publication: made anew it is another. Null: there is none. */
  readonly publication: string | null;
  /** Its options. */
  readonly options: string | null;
  /** The transaction that changed the publication last, whatever it changed; absent in older looks. */
  readonly version?: string | null;
  /** Its owner; absent in older looks. */
  readonly owner?: string | null;
  /**
   * The versions of the event triggers that report commands, and of their function; null or absent: they are
   * not all there and enabled.
   */
  readonly reports?: string | null;
  /** Its tables by oid: those of its list, and those of its schemas that the YAML wants. */
  readonly tables: Readonly<Record<string, PublishedTableState>>;
  /** Identity of the membership of each schema that it holds whole; absent in older looks. */
  readonly schemas?: readonly string[];
  /** Tables by oid that the YAML wants and that somebody took out of the publication; absent: none. */
  readonly takenOut?: readonly string[];
  /**
   * `schema.table` of those whose updates and deletes the source refuses; absent where that was not looked
   * at.
   */
  readonly refusing?: readonly string[];
}

export interface PublishedTableState extends TableContents {
  readonly schema: string;
  readonly table: string;
  /** Identity of its membership in the publication, with row filter and column list; absent: it has none. */
  readonly membership?: string;
  /** Identity of the membership of its schema; absent where that is not held whole. */
  readonly schemaMembership?: string;
  /** As pg_class.relreplident: `f` for full. */
  readonly identity: string;
  /**
   * Where it was renamed and the YAML does not know its new name: the one under which it is still captured.
   */
  readonly knownAs?: TableName;
  /**
   * By attribute number: columns that the YAML or the defaults name, as they were called then. A column stays
   * the same under every name (DECISIONS 62).
   */
  readonly named?: Readonly<Record<string, ColumnName>>;
  /**
   * Those of them that have another name now which the YAML does not know: the name it knows, and today's.
   */
  readonly renamed?: Readonly<Record<string, string>>;
}

/** A look: the state, and the position of the WAL before it. */
export interface PublishedAtLsn {
  readonly state: PublishedState;
  readonly lsn: Lsn;
}

/** A look that asks only whether anything has changed. */
export interface CatalogDigest {
  /** Position of the WAL before the rest was read. */
  readonly lsn: Lsn;
  /** Transactions that ran then. */
  readonly running: readonly string[];
  /**
   * Differs from that of an earlier digest where anything in the catalog has changed that may decide what the
   * stream carries.
   */
  readonly digest: string;
}

/**
 * Three small statements, cheap enough to be asked every other second, in this order: position, transactions
 * that run, digest. A change of the catalog whose commit lies before the position and which the digest does
 * not show was made by one of those transactions: its commit is in the WAL before anybody can see it, with
 * synchronous replication for as long as the standby takes.
 */
export async function readCatalogDigest(client: pg.Client): Promise<CatalogDigest> {
  const lsn = await currentLsn(client);
  const running = await runningTransactions(client);
  const { rows } = await client.query<{ digest: string }>(digestSql(await serverVersion(client)));
  return { lsn, running, digest: rows[0]!.digest };
}

/** What the digest of a later digest may have changed. */
export async function readPublished(client: pg.Client, publication: string): Promise<PublishedState> {
  const version = await serverVersion(client);
  const rows = await catalogRows<{ state: PublishedState }>(client, stateSql(publication, version));
  return rows[0]!.state;
}

/**
 * The state, and what became of the tables of an earlier look, as of one moment: of a table that is detached
 * between two readings, one says that it is a partition and the other that it is none.
 */
export async function readPublishedAndFate(
  client: pg.Client,
  { publication, last }: { readonly publication: string; readonly last: PublishedState['tables'] },
): Promise<{ readonly state: PublishedState; readonly fate: TableFate }> {
  await client.query('begin transaction isolation level repeatable read, read only');
  try {
    const state = await readPublished(client, publication);
    return { state, fate: await fateOfTables(client, { tables: last, publication }) };
  } finally {
    await client.query('rollback').catch(() => undefined);
  }
}

/** The digest and the state behind it, which is that of the digest or a later one. */
export async function readPublishedAtLsn(
  client: pg.Client,
  publication: string,
): Promise<PublishedAtLsn & CatalogDigest> {
  const read = await readCatalogDigest(client);
  return { ...read, state: await readPublished(client, publication) };
}

/** The name by which the YAML knows a published table: an earlier one, where it was renamed since. */
export const knownName = ({ schema, table, knownAs }: PublishedTableState): TableName =>
  knownAs ?? { schema, table };

/** The columns of a published table that the YAML or the defaults name, by attribute number. */
export const namedColumns = (state: PublishedTableState | undefined): ReadonlyMap<number, ColumnName> =>
  new Map(Object.entries(state?.named ?? {}).map(([number, column]) => [Number(number), column]));

const asked = (name: string): string | null => (isBytesText(name) ? null : name);

/** What became of the tables of an earlier look, by oid. */
export interface TableFate {
  /** They exist no more. */
  readonly gone: ReadonlySet<string>;
  /** Another table has the name now, with its oid: the two were swapped, or it was dropped and made anew. */
  readonly replaced: ReadonlyMap<string, string>;
  /** They are partitions of a table that is published, so their changes are sent as its changes. */
  readonly covered: ReadonlySet<string>;
}

/** Asks the catalog about the tables of an earlier look. */
async function fateOfTables(
  client: pg.Client,
  options: { readonly tables: PublishedState['tables']; readonly publication: string },
): Promise<TableFate> {
  const known = Object.entries(options.tables);
  const hasSchemas = (await serverVersion(client)) >= HAS_SCHEMA_PUBLICATIONS;
  // Of bytes that are no text there is no name to ask for, and so none that another table could have taken.
  const names = known.map(([, state]) => [knownName(state).schema, knownName(state).table].map(asked));
  const { rows } = await client.query<{
    oid: string;
    gone: boolean;
    replaced_by: string | null;
    covered: boolean;
  }>(
    /* sql */ `with recursive ${LINE}
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
                                     ${hasSchemas ? 'or exists (select from pg_catalog.pg_publication_namespace s where s.pnpubid = p.oid and s.pnnspid = c.relnamespace)' : ''}
                                     )) as covered
                 from unnest($1::oid[], $2::text[], $3::text[]) as known (oid, schema, name)`,
    [
      known.map(([oid]) => oid),
      names.map(([schema]) => schema),
      names.map(([, table]) => table),
      options.publication,
    ],
  );
  const oids = (of: 'gone' | 'covered') => new Set(rows.filter((row) => row[of]).map(({ oid }) => oid));
  const replaced = rows.flatMap(({ oid, replaced_by: by }): [string, string][] =>
    by === null ? [] : [[oid, by]],
  );
  return { gone: oids('gone'), replaced: new Map(replaced), covered: oids('covered') };
}

/**
 * Numbers and versions of all rows of the catalog that may matter, digested by the server: a row that is
 * changed is a new version with another xmin. Sums, because their order is of no account (measured: see
 * DECISIONS 43). Of columns, those of published tables: one that the YAML names may be renamed (DECISIONS
 * 62).
 */
const digestSql = (version: number): string => /* sql */ `
  select pg_catalog.concat_ws(' ',
    (select pg_catalog.sum(pg_catalog.hashtextextended(pg_catalog.concat_ws(' ', c.oid, c.xmin), 0))
       from pg_catalog.pg_class c where c.relkind in ('r', 'p', 'v', 'm', 'f') and c.relpersistence <> 't'),
    (select pg_catalog.sum(pg_catalog.hashtextextended(pg_catalog.concat_ws(' ', i.indexrelid, i.xmin), 0))
       from pg_catalog.pg_index i
       join pg_catalog.pg_class c on c.oid = i.indrelid and c.relkind in ('r', 'p') and c.relpersistence <> 't'
      where i.indisprimary or i.indisreplident),
    -- the sum of xmin, but for a constant: age() takes half the time of a cast to text
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

/** From here on a publication may hold whole schemas. */
const HAS_SCHEMA_PUBLICATIONS = 150_000;

// to_jsonb() makes one query fit all versions; xmin tells that options were changed and changed back. A
// partitioned table holds no row itself; its partitions are found without a lock, which pg_partition_tree()
// takes. An index that was built when the table was written anew has counted its rows. The type of a table's
// rows is made with it, so a partition whose type is older than its place was attached.
const stateSql = (publication: string, version: number): string => /* sql */ `
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

/** Each partition with every table that it is a partition of. pg_partition_ancestors() sees no snapshot. */
const LINE = /* sql */ `line (relid, ancestor) as (
      select c.oid, i.inhparent from pg_catalog.pg_class c
        join pg_catalog.pg_inherits i on i.inhrelid = c.oid where c.relispartition
      union all
      select line.relid, i.inhparent from line
        join pg_catalog.pg_class c on c.oid = line.ancestor and c.relispartition
        join pg_catalog.pg_inherits i on i.inhrelid = c.oid)`;

const SCHEMAS = /* sql */ `'schemas', coalesce((
      select pg_catalog.jsonb_agg(s.oid::text order by s.oid) from pg_catalog.pg_publication_namespace s where s.pnpubid = p.oid), '[]')`;

/** Membership of the schema of a table in the list. */
const OF_SCHEMA = /* sql */ `(
                       select s.oid::text from pg_catalog.pg_publication_namespace s
                         join pg_catalog.pg_class m on m.relnamespace = s.pnnspid
                        where s.pnpubid = p.oid and m.oid = r.prrelid)`;

/**
 * Tables that are published by their schema alone: a partition of one that is published is sent as that one.
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
