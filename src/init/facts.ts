import type pg from 'pg';
import { isBytesText } from '../pg/text.js';
import { readCatalog, type Catalog, type CatalogColumn, type CatalogTable } from '../tracking/catalog.js';
import { keyOf } from '../tracking/tracked.js';
import { valueKind, type ValueKind } from '../tracking/value-kind.js';
import { readDetails, type Details, type ReadColumn } from './read-details.js';
import { wordsOfCheck } from './check-words.js';

/** What a proposal needs of the source's catalog. */
export interface SourceFacts {
  readonly catalog: Catalog;
  /** By canonical name, in the order of the catalog: schema, then name. */
  readonly tables: ReadonlyMap<string, TableFacts>;
  /** Settings that functions, policies and defaults of the database read, such as `app.user_id`. */
  readonly settings: readonly string[];
  /** Sentences about what the role may not read, or what took too long. */
  readonly unread: readonly string[];
}

export interface TableFacts {
  /** Canonical `schema.table`. */
  readonly key: string;
  readonly table: CatalogTable;
  /** Columns whose values the source sends and whose names can be written, in order. */
  readonly columns: ReadonlyMap<string, ColumnFacts>;
  /** Foreign keys that consist of one column, by that column. */
  readonly references: ReadonlyMap<string, Reference>;
  /** Name of the extension that the table belongs to; null if there is none. */
  readonly extension: string | null;
}

export interface Reference {
  /** Canonical name of the table that the foreign key refers to. */
  readonly table: string;
  readonly column: string;
}

export interface ColumnFacts {
  readonly name: string;
  readonly type: string;
  readonly typeOid: number;
  readonly kind: ValueKind;
  readonly notNull: boolean;
  /** Whether the default is an empty text. */
  readonly defaultsToEmpty: boolean;
  /** The only values that the column may have, and what declares them; null if nothing does. */
  readonly words: { readonly from: 'enum' | 'check'; readonly values: readonly string[] } | null;
  /** The only elements that its arrays may have, of an enum; null: nothing says so. */
  readonly elements: readonly string[] | null;
  /** As pg_stats.n_distinct: a number of values, or below 0 a share of the rows. Null: not known. */
  readonly distinct: number | null;
  /** Its most common values, if they are small numbers or class names; null if not known. */
  readonly common: readonly string[] | null;
  /** For a column that says who did something: the prefixes of keys in its texts, such as `user/`. */
  readonly prefixes: readonly string[];
}

/**
 * Reads the facts. Reads no row of a table, waits for locks on catalogs only, and runs no statement longer
 * than the client's limit. Throws what `readCatalog` throws.
 */
export async function readFacts(client: pg.Client): Promise<SourceFacts> {
  const catalog = await readCatalog(client);
  const { details, unread } = await readDetails(client);
  const byOid = new Map(catalog.tables.map((table) => [table.oid, keyOf(table)]));
  const tables = catalog.tables.map((table) => factsOf(table, { catalog, details, byOid }));
  return {
    catalog,
    tables: new Map(tables.map((facts) => [facts.key, facts])),
    settings: details.settings,
    unread,
  };
}

function factsOf(
  table: CatalogTable,
  {
    catalog,
    details,
    byOid,
  }: {
    readonly catalog: Catalog;
    readonly details: Details;
    readonly byOid: ReadonlyMap<string, string>;
  },
): TableFacts {
  const checks = (details.checks.get(table.oid) ?? []).map(({ column, definition }) => [
    column,
    wordsOfCheck(definition),
  ]);
  const given = {
    catalog,
    enums: details.enums,
    enumArrays: details.enumArrays,
    checks: new Map(checks as [string, readonly string[] | null][]),
    read: new Map((details.columns.get(table.oid) ?? []).map((column) => [column.name, column])),
  };
  const references = (details.references.get(table.oid) ?? []).flatMap(({ column, target, key }) => {
    const found = byOid.get(target);
    return found === undefined ? [] : [[column, { table: found, column: key }] as const];
  });
  return {
    key: keyOf(table),
    table,
    columns: new Map(
      table.columns
        .filter((column) => isSent(column, catalog) && !isBytesText(column.name))
        .map((column) => [column.name, columnOf(column, given)]),
    ),
    references: new Map(references),
    extension: details.extensions.get(table.oid) ?? null,
  };
}

/** Whether a column is replicated: stored generated ones from PostgreSQL 18 on, virtual ones never. */
const isSent = ({ generated }: CatalogColumn, { server }: Catalog): boolean =>
  generated === null || (generated === 'stored' && server.version >= 180_000);

function columnOf(
  { name, type, typeOid }: CatalogColumn,
  {
    catalog,
    enums,
    enumArrays,
    checks,
    read,
  }: {
    readonly catalog: Catalog;
    readonly enums: ReadonlyMap<number, readonly string[]>;
    readonly enumArrays: ReadonlyMap<number, readonly string[]>;
    readonly checks: ReadonlyMap<string, readonly string[] | null>;
    readonly read: ReadonlyMap<string, ReadColumn>;
  },
): ColumnFacts {
  const labels = enums.get(typeOid);
  const checked = checks.get(name) ?? null;
  const found = read.get(name);
  return {
    name,
    type,
    typeOid,
    kind: valueKind(typeOid, catalog.types),
    notNull: found?.notNull ?? false,
    defaultsToEmpty: /^''(?:::|$)/.test(found?.defaultValue ?? ''),
    words:
      labels !== undefined
        ? { from: 'enum', values: labels }
        : checked === null
          ? null
          : { from: 'check', values: checked },
    elements: enumArrays.get(typeOid) ?? null,
    distinct: found?.distinct ?? null,
    common: found?.common == null ? null : telling(found.common),
    prefixes: found?.prefixes ?? [],
  };
}

/**
 * Returns values that reveal no more of a row than its kind: numbers of up to three digits, and class names.
 */
const telling = (common: readonly string[]): readonly string[] | null =>
  common.every((value) => /^(?:\d{1,3}|[A-Z]\w{0,62}(?:(?:::|\\)[A-Z]\w{0,62}){0,4})$/.test(value))
    ? common
    : null;
