import type { Catalog, CatalogTable } from './catalog.js';
import { indexOf } from './catalog-index.js';
import { matchesTable, formatTable, type TableName } from './names.js';
import { namesTables, neededTables } from './lookups.js';
import { ruleFor } from './match.js';
import type { TableRule, TrackingConfig } from './rules.js';

/** A table the publication has to hold, and why. */
export interface PublishedTable {
  /** Canonical `schema.table`. */
  readonly key: string;
  readonly table: CatalogTable;
  /** Null: only modifiers, labels, names, tenants or attribution need it. */
  readonly rule: TableRule | null;
  /** Its new rows alone are asked for: they are witnesses, and no row before a change is needed. */
  readonly insertsOnly: boolean;
  /**
   * Its partitions of every level. They are published through it and have a replica identity of their own.
   */
  readonly partitions: readonly CatalogTable[];
}

/**
 * The tables of the source that the publication has to hold, by name: tracked ones, those of modifiers and
 * labels, and witnesses. A partition of one of them is published through it and is not a table of its own
 * here.
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

/** Only permanent tables are in the WAL as rows. */
export const isPublishable = ({ kind, persistence }: CatalogTable): boolean =>
  (kind === 'table' || kind === 'partitioned') && persistence === 'permanent';

export const nameOf = ({ schema, name }: CatalogTable): TableName => ({ schema, table: name });

/** Canonical `schema.table` of a catalog table. */
export const keyOf = (table: CatalogTable): string => formatTable(nameOf(table));

/** Tables that a pattern or an exact name matches and that no exclusion keeps from being tracked. */
export const matchingTables = (pattern: string, config: TrackingConfig, catalog: Catalog): CatalogTable[] =>
  catalog.tables.filter(
    (table) =>
      isPublishable(table) &&
      matchesTable(pattern, nameOf(table)) &&
      ruleFor(config, nameOf(table)) !== undefined,
  );

/**
 * The table and those it is a partition of, from itself to the outermost: a publication that holds one of
 * them holds it.
 */
export function lineageOf(table: CatalogTable, catalog: Catalog): CatalogTable[] {
  const parent =
    table.partitionOf === null ? undefined : indexOf(catalog).tables.get(formatTable(table.partitionOf));
  return parent === undefined ? [table] : [table, ...lineageOf(parent, catalog)];
}

/** Partitions of every level that are in the WAL: neither foreign nor unlogged. */
export function partitionsOf(table: CatalogTable, catalog: Catalog): CatalogTable[] {
  const direct = indexOf(catalog).partitions.get(keyOf(table)) ?? [];
  return direct
    .filter(isPublishable)
    .flatMap((partition) => [partition, ...partitionsOf(partition, catalog)]);
}
