import { formatTable, isNeverTracked, isPattern, matchesTable, type TableName } from './names.js';
import type { TableRule, TrackingConfig } from './rules.js';

/**
 * Returns the rule that tracks a table; undefined: none does. Exact names win over patterns, and earlier
 * patterns over later ones. Exclusions win over both, and so do the schemas in which Waltrail itself writes.
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

/** The rules of each configuration, indexed once: there may be thousands of tables. */
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
