import type { ErrorCode } from '../errors.js';
import type { Catalog, CatalogTable } from './catalog.js';
import { hindranceOf } from './lookup-tables.js';
import type { TrackingConfig } from './rules.js';
import type { PublishedState } from './published.js';
import { keyOf, publishedTables, type PublishedTable } from './tracked.js';

/** A table of which the YAML asks for a baseline (DECISIONS 107). */
export interface BaselineTable {
  /** Canonical `schema.table`. */
  readonly key: string;
  /** The key of `tables` that tracks it. */
  readonly pattern: string;
  readonly table: CatalogTable;
  /** Where its rows lie: itself, or its partitions. */
  readonly parts: readonly CatalogTable[];
  readonly maxRows: number;
  /** Why its rows cannot be read, and what would allow it, as sentences; null: they can. */
  readonly hindrance: string | null;
}

/** Tables of which the YAML asks for a baseline, and which the source can send changes of. Pure. */
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

/** Those of them that are published whole, as of a look, and can be read. Pure. */
export function takeableTables(options: {
  readonly config: TrackingConfig;
  /** With what is wrong with single tables. */
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

/** Tables that get no baseline because they cannot be read, as sentences. */
export const baselineWarnings = (options: Parameters<typeof baselineTables>[0]): string[] =>
  baselineTables(options).flatMap(({ key, pattern, hindrance }) => {
    if (hindrance === null) return [];
    const at = options.config.places.of(['tables', pattern, 'baseline']);
    return [`${at}: ${key} gets no baseline: ${hindrance}`];
  });

/** Names of a baseline's tables, with their partitions: gaps may name either. */
export const membersOf = ({ key, parts }: BaselineTable): readonly string[] => [
  ...new Set([key, ...parts.map(keyOf)]),
];
