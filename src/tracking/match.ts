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
  const { exact, patterns } = rulesIn(config);
  return exact.get(formatTable(table)) ?? patterns.find(({ pattern }) => matchesTable(pattern, table));
}

interface RulesOf {
  /** By canonical name. */
  readonly exact: ReadonlyMap<string, TableRule>;
  readonly patterns: readonly TableRule[];
}

/** Of each configuration, once: there may be thousands of tables. */
const RULES = new WeakMap<readonly TableRule[], RulesOf>();

function rulesIn({ tables }: Pick<TrackingConfig, 'tables'>): RulesOf {
  let rules = RULES.get(tables);
  if (rules === undefined) {
    const [patterns, exact] = [true, false].map((of) =>
      tables.filter(({ pattern }) => isPattern(pattern) === of),
    );
    rules = { exact: new Map(exact!.map((rule) => [rule.pattern, rule])), patterns: patterns! };
    RULES.set(tables, rules);
  }
  return rules;
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
  let uses = USES.get(config);
  if (uses === undefined) USES.set(config, (uses = findLookupUses(config)));
  return uses;
}

/** Of each configuration, once: every table is asked about. */
const USES = new WeakMap<TrackingConfig, readonly LookupUse[]>();

function findLookupUses(config: TrackingConfig): readonly LookupUse[] {
  const said = new Set<string>();
  const labels = config.tables.flatMap(({ pattern, labels }) =>
    [...labels].flatMap(([column, rule]) => {
      const path = config.places.originOf(['tables', pattern, 'labels', column]);
      const at = JSON.stringify(path);
      // Many tables may have taken it over from one place.
      if (said.has(at)) return [];
      said.add(at);
      return [{ path, rule }];
    }),
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
