import {
  isNeverTracked,
  isPattern,
  matchesColumn,
  matchesTable,
  tableName,
  type TableName,
} from './names.js';
import type { LabelRule, RedactWith, TableRule, TrackingConfig } from './rules.js';

/**
 * The rule a table is tracked by; undefined: not tracked. Exact names win over patterns, earlier patterns
 * over later ones; exclusions and the schemas in which Waltrail itself writes win over all.
 */
export function ruleFor(config: TrackingConfig, table: TableName): TableRule | undefined {
  if (isNeverTracked(table.schema) || config.exclude.some((pattern) => matchesTable(pattern, table)))
    return undefined;
  const matching = config.tables.filter(({ pattern }) => matchesTable(pattern, table));
  return matching.find(({ pattern }) => !isPattern(pattern)) ?? matching[0];
}

/** How a column's values are stored: the first rule of `redact` that matches; null: as they are. */
export function redactionFor(
  config: TrackingConfig,
  { column, ...table }: TableName & { readonly column: string },
): RedactWith | null {
  const rule = config.redact.find(
    ({ columns, tables }) =>
      (tables === null || tables.some((pattern) => matchesTable(pattern, table))) &&
      columns.some((pattern) => matchesColumn(pattern, column)),
  );
  return rule?.with ?? null;
}

/**
 * Column of a lookup table that holds the tenant of a row: as the YAML names it, or as the table is tracked,
 * where a table that a pattern matches may lack it. Null: rows have no tenant.
 */
export const lookupTenant = (config: TrackingConfig, rule: LabelRule): string | null =>
  rule.tenant ?? ruleFor(config, tableName(rule.table))?.tenant ?? null;

/** A label or the modifiers, and the key of the file it stands under. */
export interface LookupUse {
  readonly key: string;
  readonly rule: LabelRule;
}

/** Every use of a table that gives names to keys: `modifiers`, then the labels in order of the file. */
export function lookupUses(config: TrackingConfig): readonly LookupUse[] {
  const labels = config.tables.flatMap(({ pattern, labels }) =>
    [...labels].map(([column, rule]) => ({ key: `tables."${pattern}".labels.${column}`, rule })),
  );
  return config.modifiers === null ? labels : [{ key: 'modifiers', rule: config.modifiers }, ...labels];
}

/**
 * Tables of modifiers and labels, each once: they must be in the publication even where they are not tracked,
 * because names are followed in the stream.
 */
export function neededTables(config: TrackingConfig): readonly TableName[] {
  return [...new Set(lookupUses(config).map(({ rule }) => rule.table))].map(tableName);
}
