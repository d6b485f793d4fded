import type pg from 'pg';
import { WaltrailError } from '../errors.js';
import { catalogRows } from '../pg/catalog-rows.js';
import { isPooled } from '../pg/pooler.js';
import { isBytesText } from '../pg/text.js';
import { attributeColumns, xidOf, type Attribute } from './attributes.js';
import { isNameable, type TableName } from './names.js';
import { HAS_SCHEMA_PUBLICATIONS } from './published-sql.js';
import { TRIGGER_SCHEMA } from './reports.js';
import { typesSql, type CatalogType } from './value-kind.js';

/** Everything about the source by which plan and preflight decide. */
export interface Catalog {
  readonly server: CatalogServer;
  readonly role: CatalogRole;
  /** Tables, and views and foreign tables, without PostgreSQL's own, ordered by schema and name. */
  readonly tables: readonly CatalogTable[];
  /**
   * Tables that no statement can name, because the bytes of their name are not valid text in the source's
   * encoding.
   */
  readonly unnamed: readonly CatalogTable[];
  /** Schemas without PostgreSQL's own and without those that no statement can name. */
  readonly schemas: readonly string[];
  /** Types of the tables' columns that are not built into PostgreSQL, by OID. */
  readonly types: ReadonlyMap<number, CatalogType>;
  readonly publications: readonly CatalogPublication[];
  readonly eventTriggers: readonly CatalogEventTrigger[];
  /** Triggers and functions by which sessions state who they are, of every publication. */
  readonly sessionTriggers: readonly CatalogSessionTrigger[];
  readonly sessionFunctions: readonly CatalogSessionFunction[];
  readonly slots: readonly CatalogSlot[];
  /** All overloads of pg_logical_emit_message. */
  readonly messageFunctions: readonly CatalogMessageFunction[];
}

export interface CatalogServer {
  /** As `server_version_num`: 180004 is 18.4. */
  readonly version: number;
  readonly database: string;
  readonly walLevel: string;
  readonly inRecovery: boolean;
  /** Whether the connection leads through a pooler. */
  readonly pooled: boolean;
  readonly maxSlots: number;
  readonly maxSenders: number;
  readonly senders: number;
  /** Bytes; null: no limit. */
  readonly maxSlotWalKeepBytes: number | null;
  /** WAL written since the server's counters were reset; null if the time of the reset is unknown. */
  readonly walCounted: { readonly bytes: number; readonly seconds: number } | null;
}

export interface CatalogRole {
  readonly name: string;
  readonly superuser: boolean;
  /**
   * May start replication: by the role attribute, as superuser, or as a member of the cloud provider's role
   * for it.
   */
  readonly replication: boolean;
}

/** As pg_class.relkind. */
export type TableKind = 'table' | 'partitioned' | 'view' | 'materialized view' | 'foreign table';

export interface CatalogTable {
  readonly oid: string;
  readonly schema: string;
  readonly name: string;
  readonly kind: TableKind;
  readonly persistence: 'permanent' | 'unlogged' | 'temporary';
  readonly replicaIdentity: 'default' | 'nothing' | 'full' | 'index';
  /** The table that this one is a direct partition of. */
  readonly partitionOf: TableName | null;
  /** Tables that it directly inherits from without being a partition. */
  readonly inherits: readonly TableName[];
  readonly columns: readonly CatalogColumn[];
  /** Every attribute number that a column has or had, in order. */
  readonly attributes: readonly Attribute[];
  /** In key order; empty without a primary key. */
  readonly primaryKey: readonly string[];
  /**
   * Low 32 bits of the id of the transaction that created the primary key; null: long ago, or there is no
   * key.
   */
  readonly keyXid: number | null;
  /**
   * Unique indexes that PostgreSQL accepts as replica identity: valid, immediate, and on not-null columns
   * only.
   */
  readonly keys: readonly CatalogKey[];
  /** Whether the role may read every column; see {@link CatalogColumn.readable}. */
  readonly readable: boolean;
  /** Whether row security filters what the role reads. */
  readonly filtered: boolean;
  /** Whether the role may put a trigger on it. */
  readonly mayTrigger: boolean;
}

export interface CatalogKey {
  readonly index: string;
  readonly columns: readonly string[];
  readonly primary: boolean;
  /** Named by `replica identity using index`. */
  readonly identity: boolean;
}

export interface CatalogColumn {
  readonly name: string;
  readonly typeOid: number;
  readonly type: string;
  readonly generated: 'stored' | 'virtual' | null;
  /** Whether the role may read it by a grant on the column alone, regardless of its rights on the table. */
  readonly readable: boolean;
}

export interface CatalogPublication {
  readonly name: string;
  readonly allTables: boolean;
  readonly schemas: readonly string[];
  readonly publish: readonly ('insert' | 'update' | 'delete' | 'truncate')[];
  readonly viaRoot: boolean;
  /** The option `publish_generated_columns`, from PostgreSQL 18 on; null before. */
  readonly generatedColumns: 'none' | 'stored' | null;
  readonly comment: string | null;
  readonly tables: readonly CatalogPublicationTable[];
}

export interface CatalogPublicationTable extends TableName {
  /** Columns that the row filter reads; null without one. */
  readonly rowFilter: readonly string[] | null;
  /** Columns that are published; null: all. */
  readonly columnList: readonly string[] | null;
}

export interface CatalogEventTrigger {
  readonly name: string;
  /** Schema of its function. */
  readonly schema: string;
  /** Whether it fires for every value of session_replication_role. */
  readonly always: boolean;
  readonly comment: string | null;
}

/** A trigger whose function is in the schema of Waltrail's functions. */
export interface CatalogSessionTrigger extends TableName {
  readonly name: string;
  /** Name of its function. */
  readonly function: string;
  /** Whether it fires before every statement of all four kinds, without a condition. */
  readonly whole: boolean;
  readonly enabled: boolean;
  /** Whether the role has the rights of the table's owner, which it needs to drop the trigger. */
  readonly owned: boolean;
}

/** A trigger function in the schema of Waltrail's functions. */
export interface CatalogSessionFunction {
  readonly name: string;
  readonly source: string;
  /** Whether it runs with its owner's rights and changes no settings. */
  readonly privileged: boolean;
  readonly owner: string;
  /** Whether its owner may emit logical messages. */
  readonly mayEmit: boolean;
}

export interface CatalogMessageFunction {
  /** Schema, name and argument types, as grants name the function. */
  readonly signature: string;
  /** Whether every role may execute it. */
  readonly isPublic: boolean;
}

export interface CatalogSlot {
  readonly name: string;
  readonly active: boolean;
  /** Null: a physical slot. */
  readonly plugin: string | null;
  /** The database it decodes; null: a physical slot. */
  readonly database: string | null;
}

/** PostgreSQL 14: the first version with logical messages in pgoutput, and with pg_stat_wal. */
const OLDEST_SUPPORTED = 140_000;

/**
 * Reads the catalog in one snapshot. Locks catalogs only, and needs no privileges on the tables. Throws
 * SOURCE_UNSUPPORTED for a server older than PostgreSQL 14.
 */
export async function readCatalog(client: pg.Client): Promise<Catalog> {
  const version = await catalogRows<{ number: number; text: string }>(
    client,
    /* sql */ `select current_setting('server_version_num')::int4 as number, current_setting('server_version') as text`,
  );
  if (version[0]!.number < OLDEST_SUPPORTED) {
    throw new WaltrailError(
      'SOURCE_UNSUPPORTED',
      `The source is PostgreSQL ${version[0]!.text}, and Waltrail needs 14 or later.`,
    );
  }
  await client.query('begin transaction isolation level repeatable read, read only');
  try {
    return {
      server: { ...(await readServer(client)), pooled: await isPooled(client) },
      role: await readRole(client),
      ...(await readTables(client)),
      schemas: await readSchemas(client),
      types: await readTypes(client),
      publications: await readPublications(client, version[0]!.number),
      eventTriggers: await readEventTriggers(client),
      sessionTriggers: await readSessionTriggers(client),
      sessionFunctions: await readSessionFunctions(client),
      slots: await readSlots(client),
      messageFunctions: await readMessageFunctions(client),
    };
  } finally {
    await client.query('rollback').catch(() => undefined);
  }
}

/** Reads the facts about the server, without reading any table. */
export async function readServer(client: pg.Client): Promise<Omit<CatalogServer, 'pooled'>> {
  const rows = await catalogRows<Omit<CatalogServer, 'pooled'>>(
    client,
    /* sql */ `
    select
      current_setting('server_version_num')::int4 as version,
      current_database()::text as database,
      -- from PostgreSQL 19 on, this is the level in effect
      coalesce(nullif(current_setting('effective_wal_level', true), ''), current_setting('wal_level')) as "walLevel",
      pg_catalog.pg_is_in_recovery() as "inRecovery",
      current_setting('max_replication_slots')::int4 as "maxSlots",
      current_setting('max_wal_senders')::int4 as "maxSenders",
      (select count(*)::int4 from pg_catalog.pg_stat_replication) as senders,
      -- in MB there, -1 for no limit
      (select case when s.setting::int8 >= 0 then s.setting::float8 * 1048576 end
         from pg_catalog.pg_settings s where s.name = 'max_slot_wal_keep_size') as "maxSlotWalKeepBytes",
      (select pg_catalog.jsonb_build_object('bytes', w.wal_bytes, 'seconds', extract(epoch from now() - w.stats_reset)::float8)
         from pg_catalog.pg_stat_wal w where w.stats_reset is not null) as "walCounted"`,
  );
  return rows[0]!;
}

async function readRole(client: pg.Client): Promise<CatalogRole> {
  const rows = await catalogRows<CatalogRole>(
    client,
    /* sql */ `
    select
      r.rolname::text as name,
      r.rolsuper as superuser,
      r.rolsuper or r.rolreplication or exists (
        select from pg_catalog.pg_roles g
         where g.rolname in ('rds_replication', 'rds_superuser') and pg_catalog.pg_has_role(r.oid, g.oid, 'member')
      ) as replication
    from pg_catalog.pg_roles r
    where r.rolname = current_user`,
  );
  return rows[0]!;
}

async function readTables(client: pg.Client): Promise<Pick<Catalog, 'tables' | 'unnamed'>> {
  type Row = Omit<
    CatalogTable,
    'columns' | 'attributes' | 'primaryKey' | 'keyXid' | 'keys' | 'partitionOf'
  > & {
    readonly parentSchema: string | null;
    readonly parentTable: string | null;
  };
  const rows = await catalogRows<Row>(
    client,
    /* sql */ `
    select
      c.oid::text as oid,
      n.nspname::text as schema,
      c.relname::text as name,
      case c.relkind when 'r' then 'table' when 'p' then 'partitioned' when 'v' then 'view'
                     when 'm' then 'materialized view' else 'foreign table' end as kind,
      case c.relpersistence when 'p' then 'permanent' when 'u' then 'unlogged' else 'temporary' end as persistence,
      case c.relreplident when 'd' then 'default' when 'n' then 'nothing' when 'f' then 'full' else 'index' end as "replicaIdentity",
      pn.nspname::text as "parentSchema",
      p.relname::text as "parentTable",
      coalesce(h.inherits, '[]') as inherits,
      coalesce(pg_catalog.has_table_privilege(c.oid, 'select') and pg_catalog.has_schema_privilege(n.oid, 'usage'), false) as readable,
      c.relrowsecurity and pg_catalog.row_security_active(c.oid) as filtered,
      coalesce(pg_catalog.has_table_privilege(c.oid, 'trigger') and pg_catalog.has_schema_privilege(n.oid, 'usage'), false) as "mayTrigger"
    from pg_catalog.pg_class c
    join pg_catalog.pg_namespace n on n.oid = c.relnamespace
    left join pg_catalog.pg_inherits i on i.inhrelid = c.oid and c.relispartition
    left join pg_catalog.pg_class p on p.oid = i.inhparent
    left join pg_catalog.pg_namespace pn on pn.oid = p.relnamespace
    left join (
      select i.inhrelid, pg_catalog.jsonb_agg(pg_catalog.jsonb_build_object('schema', hn.nspname, 'table', hc.relname) order by i.inhseqno) as inherits
        from pg_catalog.pg_inherits i
        join pg_catalog.pg_class hc on hc.oid = i.inhparent and hc.relkind = 'r'
        join pg_catalog.pg_namespace hn on hn.oid = hc.relnamespace
       group by i.inhrelid
    ) h on h.inhrelid = c.oid
    where c.relkind in ('r', 'p', 'v', 'm', 'f') and not pg_catalog.starts_with(n.nspname::text, 'pg_') and n.nspname <> 'information_schema'
    order by n.nspname, c.relname`,
  );
  const columns = await readColumns(client);
  const primaryKeys = await readPrimaryKeys(client);
  const keys = await readKeys(client);
  const all = rows.map(({ parentSchema, parentTable, ...table }) => ({
    ...table,
    partitionOf:
      parentSchema === null || parentTable === null ? null : { schema: parentSchema, table: parentTable },
    columns: columns.get(table.oid)?.columns ?? [],
    attributes: columns.get(table.oid)?.attributes ?? [],
    primaryKey: primaryKeys.get(table.oid)?.columns ?? [],
    keyXid: primaryKeys.get(table.oid)?.xid ?? null,
    keys: keys.get(table.oid) ?? [],
  }));
  const isNamed = ({ schema, name }: CatalogTable): boolean => isNameable({ schema, table: name });
  return { tables: all.filter(isNamed), unnamed: all.filter((table) => !isNamed(table)) };
}

async function readSchemas(client: pg.Client): Promise<string[]> {
  const rows = await catalogRows<{ readonly schema: string }>(
    client,
    /* sql */ `
    select n.nspname::text as schema from pg_catalog.pg_namespace n
     where not pg_catalog.starts_with(n.nspname::text, 'pg_') and n.nspname <> 'information_schema'
     order by n.nspname`,
  );
  return rows.map(({ schema }) => schema).filter((schema) => !isBytesText(schema));
}

type TableColumns = { readonly columns: CatalogColumn[]; readonly attributes: Attribute[] };

/** The join over columns of all tables outside PostgreSQL's own schemas. */
const OF_TABLES = /* sql */ `
    from pg_catalog.pg_attribute a
    join pg_catalog.pg_class c on c.oid = a.attrelid
    join pg_catalog.pg_namespace n on n.oid = c.relnamespace
    where a.attnum > 0
      and c.relkind in ('r', 'p', 'v', 'm', 'f') and not pg_catalog.starts_with(n.nspname::text, 'pg_') and n.nspname <> 'information_schema'`;

async function readColumns(client: pg.Client): Promise<Map<string, TableColumns>> {
  const rows = await catalogRows<CatalogColumn & Attribute & { readonly oid: string }>(
    client,
    /* sql */ `
    select
      a.attrelid::text as oid,
      ${attributeColumns('a')},
      a.atttypid::int8::float8 as "typeOid",
      case when not a.attisdropped then pg_catalog.format_type(a.atttypid, a.atttypmod) end as type,
      -- asked only for columns with grants of their own: there may be a million columns
      a.attacl is not null and coalesce(pg_catalog.has_column_privilege(a.attrelid, a.attnum, 'select')
        and pg_catalog.has_schema_privilege(n.oid, 'usage'), false) as readable
    ${OF_TABLES}
    order by a.attrelid, a.attnum`,
  );
  const byTable = new Map<string, TableColumns>();
  for (const { oid, number, dropped, xid, ...column } of rows) {
    const { name, generated } = column;
    let table = byTable.get(oid);
    if (table === undefined) byTable.set(oid, (table = { columns: [], attributes: [] }));
    table.attributes.push({ number, name, dropped, generated, xid });
    if (!dropped) table.columns.push(column);
  }
  return byTable;
}

async function readTypes(client: pg.Client): Promise<ReadonlyMap<number, CatalogType>> {
  const rows = await catalogRows<CatalogType>(client, typesSql(OF_TABLES));
  return new Map(rows.map((type) => [type.oid, type]));
}

interface ReadKey {
  readonly columns: readonly string[];
  readonly xid: number | null;
}

async function readPrimaryKeys(client: pg.Client): Promise<Map<string, ReadKey>> {
  const rows = await catalogRows<ReadKey & { readonly oid: string }>(
    client,
    /* sql */ `
    select i.indrelid::text as oid, array_agg(a.attname::text order by k.position) as columns,
           (select ${xidOf('c')} from pg_catalog.pg_constraint c where c.conrelid = i.indrelid and c.contype = 'p') as xid
    from pg_catalog.pg_index i
    cross join lateral unnest(i.indkey::int2[]) with ordinality k (attnum, position)
    join pg_catalog.pg_attribute a on a.attrelid = i.indrelid and a.attnum = k.attnum
    where i.indisprimary and k.position <= i.indnkeyatts
    group by i.indrelid`,
  );
  return new Map(rows.map(({ oid, ...key }) => [oid, key]));
}

/**
 * Reads the indexes that can be a replica identity. A deferrable key cannot be one:
 * https://www.postgresql.org/docs/current/sql-altertable.html#SQL-ALTERTABLE-REPLICA-IDENTITY
 */
async function readKeys(client: pg.Client): Promise<Map<string, readonly CatalogKey[]>> {
  const rows = await catalogRows<{ readonly oid: string; readonly keys: CatalogKey[] }>(
    client,
    /* sql */ `
    select
      i.indrelid::text as oid,
      pg_catalog.jsonb_agg(pg_catalog.jsonb_build_object(
        'index', c.relname, 'columns', k.columns, 'primary', i.indisprimary, 'identity', i.indisreplident)
        order by i.indisprimary desc, c.relname) as keys
    from pg_catalog.pg_index i
    join pg_catalog.pg_class c on c.oid = i.indexrelid
    join pg_catalog.pg_namespace n on n.oid = c.relnamespace
    cross join lateral (
      select array_agg(a.attname::text order by u.position) as columns, bool_and(a.attnotnull) as required
        from unnest(i.indkey::int2[]) with ordinality u (attnum, position)
        join pg_catalog.pg_attribute a on a.attrelid = i.indrelid and a.attnum = u.attnum
       where u.position <= i.indnkeyatts
    ) k
    where i.indisunique and i.indisvalid and i.indimmediate and i.indpred is null and i.indexprs is null and k.required
      and not pg_catalog.starts_with(n.nspname::text, 'pg_')
    group by i.indrelid`,
  );
  return new Map(rows.map(({ oid, keys }) => [oid, keys]));
}

async function readMessageFunctions(client: pg.Client): Promise<CatalogMessageFunction[]> {
  return catalogRows<CatalogMessageFunction>(
    client,
    /* sql */ `
    select
      'pg_catalog.pg_logical_emit_message(' || pg_catalog.oidvectortypes(p.proargtypes) || ')' as signature,
      pg_catalog.has_function_privilege('public', p.oid, 'execute') as "isPublic"
    from pg_catalog.pg_proc p
    where p.pronamespace = 'pg_catalog'::regnamespace and p.proname = 'pg_logical_emit_message'
    order by 1`,
  );
}

/**
 * Reads a comment without obj_description(): that is an SQL function, and its calls would be counted as calls
 * of user functions.
 */
const commentOn = (catalog: string, oid: string): string =>
  `(select d.description from pg_catalog.pg_description d
     where d.classoid = 'pg_catalog.${catalog}'::pg_catalog.regclass and d.objoid = ${oid} and d.objsubid = 0)`;

async function readEventTriggers(client: pg.Client): Promise<CatalogEventTrigger[]> {
  const rows = await catalogRows<CatalogEventTrigger>(
    client,
    /* sql */ `
    select
      t.evtname::text as name,
      n.nspname::text as schema,
      t.evtenabled = 'A' as always,
      ${commentOn('pg_event_trigger', 't.oid')} as comment
    from pg_catalog.pg_event_trigger t
    join pg_catalog.pg_proc f on f.oid = t.evtfoid
    join pg_catalog.pg_namespace n on n.oid = f.pronamespace
    order by t.evtname`,
  );
  return rows;
}

/** pg_trigger.tgtype: before (2) each statement of insert (4), delete (8), update (16), truncate (32). */
const EVERY_STATEMENT = 2 | 4 | 8 | 16 | 32;

const readSessionTriggers = (client: pg.Client): Promise<CatalogSessionTrigger[]> =>
  catalogRows<CatalogSessionTrigger>(
    client,
    /* sql */ `
    select
      n.nspname::text as schema,
      c.relname::text as table,
      t.tgname::text as name,
      f.proname::text as function,
      t.tgtype = ${EVERY_STATEMENT} and t.tgqual is null as whole,
      t.tgenabled in ('O', 'A') as enabled,
      pg_catalog.pg_has_role(c.relowner, 'usage') as owned
    from pg_catalog.pg_proc f
    join pg_catalog.pg_trigger t on t.tgfoid = f.oid
    join pg_catalog.pg_class c on c.oid = t.tgrelid
    join pg_catalog.pg_namespace n on n.oid = c.relnamespace
    where f.pronamespace = (select s.oid from pg_catalog.pg_namespace s where s.nspname = '${TRIGGER_SCHEMA}')
      and not t.tgisinternal
    order by n.nspname, c.relname, t.tgname`,
  );

const readSessionFunctions = (client: pg.Client): Promise<CatalogSessionFunction[]> =>
  catalogRows<CatalogSessionFunction>(
    client,
    /* sql */ `
    select
      f.proname::text as name,
      f.prosrc as source,
      f.prosecdef and f.proconfig is null as privileged,
      pg_catalog.pg_get_userbyid(f.proowner)::text as owner,
      exists (
        select from pg_catalog.pg_proc m
         where m.pronamespace = 'pg_catalog'::regnamespace and m.proname = 'pg_logical_emit_message'
           and m.proargtypes[2] = 'text'::regtype and pg_catalog.has_function_privilege(f.proowner, m.oid, 'execute')) as "mayEmit"
    from pg_catalog.pg_proc f
    where f.pronamespace = (select s.oid from pg_catalog.pg_namespace s where s.nspname = '${TRIGGER_SCHEMA}')
      and f.prorettype = 'trigger'::regtype
    order by f.proname`,
  );

async function readPublications(client: pg.Client, version: number): Promise<CatalogPublication[]> {
  // to_jsonb() makes one query work on all versions: a column that a version lacks is read as null.
  const rows = await catalogRows<CatalogPublication>(
    client,
    /* sql */ `
    select
      p.pubname::text as name,
      p.puballtables as "allTables",
      ${version >= HAS_SCHEMA_PUBLICATIONS ? SCHEMAS_OF_PUBLICATION : "'{}'::text[]"} as schemas,
      array_remove(array[
        case when p.pubinsert then 'insert' end, case when p.pubupdate then 'update' end,
        case when p.pubdelete then 'delete' end, case when p.pubtruncate then 'truncate' end], null) as publish,
      p.pubviaroot as "viaRoot",
      case pg_catalog.to_jsonb(p) ->> 'pubgencols' when 's' then 'stored' when 'n' then 'none' end as "generatedColumns",
      ${commentOn('pg_publication', 'p.oid')} as comment,
      coalesce((
        select pg_catalog.jsonb_agg(pg_catalog.jsonb_build_object(
                 'schema', n.nspname, 'table', c.relname,
                 'rowFilter', ${columnsIn('prqual', ':varattno (\\d+)')},
                 'columnList', ${columnsIn('prattrs', '(\\d+)')}) order by n.nspname, c.relname)
          from pg_catalog.pg_publication_rel r
          join pg_catalog.pg_class c on c.oid = r.prrelid
          join pg_catalog.pg_namespace n on n.oid = c.relnamespace
         where r.prpubid = p.oid), '[]') as tables
    from pg_catalog.pg_publication p
    order by p.pubname`,
  );
  return rows;
}

/**
 * Returns SQL for column names. A pattern finds the column numbers in the text of a column of
 * pg_publication_rel. The result is null if that column is null.
 */
const columnsIn = (column: 'prqual' | 'prattrs', pattern: string): string => /* sql */ `
                 case when pg_catalog.to_jsonb(r) ->> '${column}' is not null then (
                   select coalesce(pg_catalog.jsonb_agg(distinct a.attname), '[]')
                     from pg_catalog.regexp_matches(pg_catalog.to_jsonb(r) ->> '${column}', '${pattern}', 'g') m
                     join pg_catalog.pg_attribute a on a.attrelid = r.prrelid and a.attnum = m[1]::int2) end`;

const SCHEMAS_OF_PUBLICATION = /* sql */ `array(
        select n.nspname::text
          from pg_catalog.pg_publication_namespace s
          join pg_catalog.pg_namespace n on n.oid = s.pnnspid
         where s.pnpubid = p.oid order by n.nspname)`;

async function readSlots(client: pg.Client): Promise<CatalogSlot[]> {
  const rows = await catalogRows<CatalogSlot>(
    client,
    /* sql */ `
    select s.slot_name::text as name, s.active, s.plugin::text as plugin, s.database::text as database
      from pg_catalog.pg_replication_slots s order by s.slot_name`,
  );
  return rows;
}
