import type pg from 'pg';
import { formatTable, tableName, type TableName } from '../tracking/names.js';
import { catalogRows } from '../pg/catalog-rows.js';
import { quoteIdentifier, quoteLiteral, quoteTable } from '../pg/quote.js';
import { serverSays } from '../pg/server-message.js';
import { INSUFFICIENT_PRIVILEGE, sqlStateOf } from '../pg/sql-state.js';

/** A relation that holds rows of a lookup table: the table itself, or a partition of it. */
export interface NamesRelation {
  /** Canonical `schema.table`. */
  readonly table: string;
  readonly oid: string;
  /** Oid of the lookup table. */
  readonly rootOid: string;
  /** Columns with their attribute numbers in the lookup table; null: it has no column of that name. */
  readonly columns: readonly {
    readonly name: string;
    readonly typeOid: number;
    readonly number: number | null;
  }[];
  readonly copySql: string;
}

/** Why a lookup table, or a partition of it, is not read. The remedy is a sentence. */
export interface Unread {
  readonly table: string;
  readonly reason: string;
  readonly remedy: string;
}

/** Values of pg_class.relkind. */
const ORDINARY = 'r';
const PARTITIONED = 'p';

/**
 * Finds the relations that hold the rows of a lookup table, as of the snapshot of the transaction. They have
 * the `wanted` columns only. So privileges on these columns suffice, and no generated column is computed.
 *
 * Rows are read by COPY, never by SELECT. COPY of a table reads only an ordinary table, without its
 * inheritance children, and checks this under the lock with which it reads. It needs no planner. A planner
 * would evaluate expressions of the table's indexes, with functions of the table's owner, as the role that
 * asks. Only the output functions of types remain, and only superusers can create these.
 *
 * So nothing that owners of the source's tables have written is executed. Policies are an error, because
 * `row_security` is off. Views, rules, defaults, checks, domains and casts take no part.
 */
export async function namesRelations(
  client: pg.Client,
  options: {
    readonly table: string;
    readonly wanted: ReadonlySet<string>;
    /** Column that is read if it exists. */
    readonly tenant: string | null;
  },
): Promise<{ readonly relations: readonly NamesRelation[]; readonly unread: readonly Unread[] }> {
  const { schema, table } = tableName(options.table);
  const columns = [...new Set([...options.wanted, ...(options.tenant === null ? [] : [options.tenant])])];
  const rows = await catalogRows<RelationRow>(client, relationsSql({ schema, table }, columns));
  if (rows.length === 0)
    return {
      relations: [],
      unread: [
        { table: options.table, reason: 'there is no such table', remedy: 'Correct its name in the YAML.' },
      ],
    };
  const relations: NamesRelation[] = [];
  const unread: Unread[] = [];
  for (const row of rows.filter(({ kind }) => kind !== PARTITIONED)) {
    const problem = problemOf(row, options.wanted);
    if (problem === null) relations.push(relationOf(row));
    else unread.push({ table: formatTable(row), ...problem });
  }
  return { relations, unread };
}

/**
 * Explains why the server refused a COPY. Asks the server in the same transaction, after a rollback to a
 * savepoint or of the whole transaction.
 */
export async function refusalOf(
  client: pg.Client,
  { relation, error }: { readonly relation: NamesRelation; readonly error: unknown },
): Promise<Unread> {
  const { table } = relation;
  const { rows } = await client.query<{ role: string; filtered: boolean }>(
    /* sql */ `select current_user::text as role, pg_catalog.row_security_active($1::oid) as filtered`,
    [relation.oid],
  );
  const { role, filtered } = rows[0]!;
  if (sqlStateOf(error) !== INSUFFICIENT_PRIVILEGE)
    return {
      table,
      reason: `the source refused (${serverSays(error)})`,
      remedy: 'Check whether somebody has changed or locked the table. The message of the server says more.',
    };
  return filtered
    ? {
        table,
        reason: 'a row security policy filters its rows, and Waltrail executes no policies',
        remedy: `Run as a superuser: alter role ${quoteIdentifier(role)} bypassrls; or disable row security for ${table}.`,
      }
    : { table, reason: `role ${role} may not read it`, remedy: grantSelect(relation, role) };
}

interface RelationRow extends TableName {
  readonly kind: string;
  readonly oid: string;
  readonly rootOid: string;
  readonly columns: readonly {
    readonly name: string;
    readonly typeOid: number;
    readonly number: number | null;
    readonly generated: boolean;
  }[];
}

function problemOf(row: RelationRow, wanted: ReadonlySet<string>): Pick<Unread, 'reason' | 'remedy'> | null {
  if (row.kind !== ORDINARY)
    return {
      reason: 'it is not an ordinary table',
      remedy: 'Name an ordinary table in the YAML, or a partitioned table with only ordinary partitions.',
    };
  const missing = [...wanted].filter((name) => row.columns.every((column) => column.name !== name));
  if (missing.length > 0)
    return {
      reason: `it has no column ${missing.join(', ')}`,
      remedy: 'Correct the name of the column in the YAML.',
    };
  const generated = row.columns.filter((column) => column.generated).map(({ name }) => name);
  if (generated.length > 0)
    return {
      reason: `${generated.join(', ')} is generated, and COPY cannot read generated columns`,
      remedy: 'In the YAML, name the columns that it is generated from.',
    };
  return null;
}

function relationOf(row: RelationRow): NamesRelation {
  const { schema, table, oid, rootOid, columns } = row;
  const list = columns.map(({ name }) => quoteIdentifier(name)).join(', ');
  return {
    table: formatTable(row),
    oid,
    rootOid,
    columns,
    // Bytes are sent as the server stores them. It refuses to send text that it cannot convert
    // (pg/encoding.ts).
    copySql: `copy ${quoteTable(schema, table)} (${list}) to stdout (encoding 'SQL_ASCII')`,
  };
}

function grantSelect({ table, columns }: NamesRelation, role: string): string {
  const name = tableName(table);
  const list = columns.map((column) => quoteIdentifier(column.name)).join(', ');
  const to = quoteIdentifier(role);
  return `Run: grant usage on schema ${quoteIdentifier(name.schema)} to ${to}; grant select (${list}) on ${quoteTable(name.schema, name.table)} to ${to};`;
}

// Finds partitions as of the snapshot. pg_partition_tree() shows only the present ones.
const relationsSql = ({ schema, table }: TableName, columns: readonly string[]): string => /* sql */ `
  with recursive part as (
    select c.oid, c.oid as root, c.relkind, c.relname, c.relnamespace
      from pg_catalog.pg_class c
      join pg_catalog.pg_namespace n on n.oid = c.relnamespace
     where n.nspname = ${quoteLiteral(schema)} and c.relname = ${quoteLiteral(table)}
    union all
    select c.oid, part.root, c.relkind, c.relname, c.relnamespace
      from part
      join pg_catalog.pg_inherits i on i.inhparent = part.oid
      join pg_catalog.pg_class c on c.oid = i.inhrelid
     where part.relkind = 'p'
  )
  select n.nspname::text as schema,
         part.relname::text as table,
         part.relkind::text as kind,
         part.oid::text as oid,
         part.root::text as "rootOid",
         coalesce((
           select pg_catalog.jsonb_agg(pg_catalog.jsonb_build_object(
                    'name', a.attname, 'typeOid', a.atttypid::int8, 'number', r.attnum, 'generated', a.attgenerated <> '') order by a.attnum)
             from pg_catalog.pg_attribute a
             left join pg_catalog.pg_attribute r on r.attrelid = part.root and r.attname = a.attname
            where a.attrelid = part.oid and a.attnum > 0 and not a.attisdropped and a.attname = any (array[${columns.map(quoteLiteral).join()}]::text[])), '[]') as columns
    from part
    join pg_catalog.pg_namespace n on n.oid = part.relnamespace
   order by 1, 2`;
