import type { ErrorCode } from '../errors.js';
import type { Catalog, CatalogTable } from './catalog.js';
import { hindranceOf } from './lookup-tables.js';
import type { TrackingConfig } from './rules.js';
import type { PublishedState } from './published.js';
import { keyOf, publishedTables, type PublishedTable } from './tracked.js';

/** A table for which the YAML asks for a baseline (DECISIONS 107). */
export interface BaselineTable {
  /** Canonical `schema.table`. */
  readonly key: string;
  /** The key of `tables` that tracks it. */
  readonly pattern: string;
  readonly table: CatalogTable;
  /** The tables that hold its rows: itself, or its partitions. */
  readonly parts: readonly CatalogTable[];
  readonly maxRows: number;
  /** Why its rows cannot be read, and what would allow it, as sentences. Null: they can be read. */
  readonly hindrance: string | null;
}

/** Returns the tables for which the YAML asks for a baseline and that can be published. Pure. */
export const baselineTables = ({
  config,
  catalog,
  published = publishedTables(config, catalog),
}: {
  readonly config: TrackingConfig;
  readonly catalog: Catalog;
  readonly published?: readonly PublishedTable[];
}): readonly BaselineTable[] =>
  published.flatMap(({ key, table, rule, partitions }) => {
    const maxRows = rule?.baseline ?? null;
    if (rule === null || maxRows === null) return [];
    const parts = [table, ...partitions].filter(({ kind }) => kind === 'table');
    const columns = table.columns.filter(({ generated }) => generated === null).map(({ name }) => name);
    const hindered = parts.flatMap((part) => hindranceOf(part, { columns, catalog }) ?? []);
    return [{ key, pattern: rule.pattern, table, parts, maxRows, hindrance: hindered[0] ?? null }];
  });

/**
 * Returns the tables of {@link baselineTables} that can be read and that, as of a look, are published
 * completely. Pure.
 */
export function takeableTables(options: {
  readonly config: TrackingConfig;
  /** The catalog, with what is wrong with single tables. */
  readonly catalog: Catalog & {
    readonly troubles: readonly { readonly code: ErrorCode; readonly table: string }[];
  };
  readonly published: PublishedState;
}): readonly BaselineTable[] {
  const troubled = new Set(
    options.catalog.troubles
      .filter(({ code }) => code === 'SOURCE_PUBLICATION_INCOMPLETE')
      .map(({ table }) => table),
  );
  return baselineTables({ config: options.config, catalog: options.catalog }).filter(
    ({ key, table, hindrance }) =>
      hindrance === null && options.published.tables[table.oid] !== undefined && !troubled.has(key),
  );
}

/** Warnings about tables that get no baseline because they cannot be read. */
export const baselineWarnings = (options: Parameters<typeof baselineTables>[0]): string[] =>
  baselineTables(options).flatMap(({ key, pattern, hindrance }) => {
    if (hindrance === null) return [];
    const at = options.config.places.of(['tables', pattern, 'baseline']);
    return [`${at}: ${key} gets no baseline: ${hindrance}`];
  });

/** Names of a baseline's table and its partitions: a gap may name either. */
export const membersOf = ({ key, parts }: BaselineTable): readonly string[] => [
  ...new Set([key, ...parts.map(keyOf)]),
];
