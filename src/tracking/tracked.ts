import type { Catalog, CatalogTable } from './catalog.js';
import { indexOf } from './catalog-index.js';
import { matchesTable, formatTable, type TableName } from './names.js';
import { namesTables, neededTables } from './lookups.js';
import { ruleFor } from './match.js';
import type { TableRule, TrackingConfig } from './rules.js';

/** A table that the publication has to hold, and why. */
export interface PublishedTable {
  /** Canonical `schema.table`. */
  readonly key: string;
  readonly table: CatalogTable;
  /**
   * The rule that tracks it. Null: it is needed only for modifiers, labels, names, tenants or attribution.
   */
  readonly rule: TableRule | null;
  /** Whether only its new rows are needed: they are witnesses, and earlier rows do not matter. */
  readonly insertsOnly: boolean;
  /** Its partitions of every level. They are published through it, but have their own replica identities. */
  readonly partitions: readonly CatalogTable[];
}

/**
 * Returns the tables of the source that the publication has to hold, by name: tracked tables, lookup tables
 * and witnesses. A partition of one of them is published through it and is not listed separately.
 */
export function publishedTables(config: TrackingConfig, catalog: Catalog): PublishedTable[] {
  const needed = new Set(neededTables(config).map(formatTable));
  const names = new Set(namesTables(config).map(formatTable));
  const wanted = new Map<string, { table: CatalogTable; rule: TableRule | null }>();
  for (const [key, table] of indexOf(catalog).tables) {
    if (!isPublishable(table)) continue;
    const rule = ruleFor(config, nameOf(table)) ?? null;
    if (rule !== null || needed.has(key)) wanted.set(key, { table, rule });
  }
  const published: PublishedTable[] = [];
  for (const [key, { table, rule }] of wanted) {
    const [, ...ancestors] = lineageOf(table, catalog);
    if (ancestors.some((ancestor) => wanted.has(keyOf(ancestor)))) continue;
    const insertsOnly = rule === null && !names.has(key);
    published.push({ key, table, rule, insertsOnly, partitions: partitionsOf(table, catalog) });
  }
  return published;
}

/** Whether changes of the table's rows are in the WAL: only those of permanent tables are. */
export const isPublishable = ({ kind, persistence }: CatalogTable): boolean =>
  (kind === 'table' || kind === 'partitioned') && persistence === 'permanent';

export const nameOf = ({ schema, name }: CatalogTable): TableName => ({ schema, table: name });

/** Returns the canonical `schema.table` of a catalog table. */
export const keyOf = (table: CatalogTable): string => formatTable(nameOf(table));

/** Returns the tables that a pattern or exact name matches, without excluded ones. */
export const matchingTables = (pattern: string, config: TrackingConfig, catalog: Catalog): CatalogTable[] =>
  catalog.tables.filter(
    (table) =>
      isPublishable(table) &&
      matchesTable(pattern, nameOf(table)) &&
      ruleFor(config, nameOf(table)) !== undefined,
  );

/**
 * Returns the table and its ancestors, if it is a partition, up to the outermost. A publication that holds
 * one of them holds the table.
 */
export function lineageOf(table: CatalogTable, catalog: Catalog): CatalogTable[] {
  const parent =
    table.partitionOf === null ? undefined : indexOf(catalog).tables.get(formatTable(table.partitionOf));
  return parent === undefined ? [table] : [table, ...lineageOf(parent, catalog)];
}

/** Returns the partitions of every level that are in the WAL: neither foreign nor unlogged ones. */
export function partitionsOf(table: CatalogTable, catalog: Catalog): CatalogTable[] {
  const direct = indexOf(catalog).partitions.get(keyOf(table)) ?? [];
  return direct
    .filter(isPublishable)
    .flatMap((partition) => [partition, ...partitionsOf(partition, catalog)]);
}
