import type { KeyPath } from './document.js';
import { formatTable, isNeverTracked, isPattern, matchesTable, tableName, type TableName } from './names.js';
import type { LabelRule, ModifiersRule, TableRule, TrackingConfig } from './rules.js';

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

/**
 * Column of a lookup table that holds the tenant of a row: as the YAML names it, or as the table is tracked,
 * where a table that a pattern matches may lack it. Null: rows have no tenant.
 */
export const lookupTenant = (config: TrackingConfig, rule: LabelRule): string | null =>
  rule.tenant ?? ruleFor(config, tableName(rule.table))?.tenant ?? null;

/** A label or the modifiers, and the key of the file it stands under. */
export interface LookupUse {
  readonly path: KeyPath;
  readonly rule: LabelRule | ModifiersRule;
}

/** Every use of a table that gives names to keys: `modifiers`, then the labels in order of the file. */
export function lookupUses(config: TrackingConfig): readonly LookupUse[] {
  const labels = config.tables.flatMap(({ pattern, labels }) =>
    [...labels].map(([column, rule]) => ({ path: ['tables', pattern, 'labels', column], rule })),
  );
  const modifiers = config.modifiers.map((rule) => ({
    path: ['modifiers', ...(rule.called === null ? [] : [rule.called])],
    rule,
  }));
  return [...modifiers, ...labels];
}

/** Tables of modifiers and labels, each once: names are followed in the stream. */
export const namesTables = (config: TrackingConfig): readonly TableName[] =>
  [...new Set(lookupUses(config).map(({ rule }) => rule.table))].map(tableName);

/** Audit tables of the application whose rows are witnesses, each once. */
export const witnessTables = ({ attribution }: TrackingConfig): readonly TableName[] =>
  [...new Set(attribution.map(({ table }) => table))].map(tableName);

/** Tables that must be in the publication even where they are not tracked, each once. */
export const neededTables = (config: TrackingConfig): readonly TableName[] => {
  const names = [...namesTables(config), ...witnessTables(config)].map(formatTable);
  return [...new Set(names)].map(tableName);
};
