import type { KeyPath } from './document.js';
import type { TroubleEffect } from './findings.js';
import { ruleFor } from './match.js';
import { labelPath, namePaths } from './name-paths.js';
import { formatTable, tableName, type TableName } from './names.js';
import type { LabelRule, NameRule, ReferenceRule, TableRule, TrackingConfig } from './rules.js';
import { templateColumns } from './template.js';
import { tenantStep, tenantSteps } from './tenants.js';

/*
 * Lookups: what rows of one table need from rows of another. These are names of modifiers, words of labels,
 * and columns of other rows for a name or for the way to a tenant.
 */

/**
 * The key under which the names of a rule are kept in `trail.lookup`: the table. A single column that other
 * rows need has a key of its own beside the words of its table.
 */
export const lookupName = (rule: NameRule): string =>
  'column' in rule ? JSON.stringify([rule.table, rule.key, rule.column]) : rule.table;

/** Reads a key of {@link lookupName}. `column` null: the words of the table. */
export function lookedUp(name: string): { readonly table: string; readonly column: string | null } {
  if (!name.startsWith('[')) return { table: name, column: null };
  const [table, , column] = JSON.parse(name) as [string, string, string];
  return { table, column };
}

/**
 * Returns the column of a lookup table that holds the tenant of a row, or from which {@link
 * lookupTenantSteps} lead. The YAML names it for the lookup or for the tracked table; a table that a pattern
 * matches may lack it. Null: rows have no tenant.
 */
export const lookupTenant = (config: TrackingConfig, rule: NameRule): string | null =>
  rule.tenant ?? trackedBy(config, rule)?.tenant ?? null;

/**
 * Returns the steps from a row of a lookup table to its tenant. Empty: a column holds the tenant, or rows
 * have none.
 */
export function lookupTenantSteps(config: TrackingConfig, rule: NameRule): readonly ReferenceRule[] {
  const tracked = rule.tenant === null ? trackedBy(config, rule) : undefined;
  return tracked === undefined ? [] : tenantSteps(config, tracked);
}

const trackedBy = (config: TrackingConfig, { table }: NameRule): TableRule | undefined =>
  ruleFor(config, tableName(table));

/** A lookup in a table, and the path of the key that asks for it. */
export interface LookupUse {
  readonly path: KeyPath;
  readonly rule: NameRule;
  readonly gives: 'names' | 'tenants';
}

/** What it means for the trail if a lookup is impossible. */
export const effectOf = ({ gives }: LookupUse): TroubleEffect => `${gives} unknown`;

/** Returns all lookups: those of `modifiers`, then those of tables in the order of the file. */
export function lookupUses(config: TrackingConfig): readonly LookupUse[] {
  let uses = USES.get(config);
  if (uses === undefined) USES.set(config, (uses = findLookupUses(config)));
  return uses;
}

/** The lookups of each configuration, computed once: they are needed for every table. */
const USES = new WeakMap<TrackingConfig, readonly LookupUse[]>();

function findLookupUses(config: TrackingConfig): readonly LookupUse[] {
  const said = new Set<string>();
  const ofTables = config.tables.flatMap((rule): LookupUse[] => {
    const step = tenantStep(config, rule);
    const uses: LookupUse[] = [
      ...[...rule.labels].flatMap(([column, label]) => labelUses(config, ['labels', column], label)),
      ...[...rule.typedLabels].flatMap(([column, { of }]) =>
        [...of].flatMap(([type, label]) => labelUses(config, ['labels', column, 'types', type], label)),
      ),
      ...namePaths(config, rule).flatMap(({ steps }) =>
        steps.map((rule) => ({ path: ['name'], rule, gives: 'names' as const })),
      ),
      ...(step === null ? [] : [{ path: ['tenant'], rule: step, gives: 'tenants' as const }]),
    ];
    return uses.flatMap((use) => {
      const path = config.places.originOf(['tables', rule.pattern, ...use.path]);
      const at = JSON.stringify([path, lookupName(use.rule)]);
      // Many tables may have taken it over from one place.
      if (said.has(at)) return [];
      said.add(at);
      return [{ ...use, path }];
    });
  });
  const modifiers = config.modifiers.map((rule) => ({
    path: ['modifiers', ...(rule.called === null ? [] : [rule.called])],
    rule,
    gives: 'names' as const,
  }));
  return [...modifiers, ...ofTables];
}

/** The lookups of a label: its table, or one column of its table and one column of a further table. */
function labelUses(config: TrackingConfig, path: KeyPath, label: LabelRule): LookupUse[] {
  const through = labelPath(config, label);
  const gives = 'names';
  if (through === null || typeof through === 'string') return [{ path, rule: label, gives }];
  return [through.via, through.of].map((rule) => ({ path: [...path, 'name'], rule, gives }));
}

/** The lookups for the word of a label, by {@link lookupName}, in the order of the steps. */
export const labelWay = (config: TrackingConfig, label: LabelRule): readonly string[] =>
  labelUses(config, [], label).map(({ rule }) => lookupName(rule));

/**
 * All rules that are read and followed, without repetitions. A table may give words and also single columns.
 */
export function nameRules(config: TrackingConfig): readonly NameRule[] {
  const rules = new Map<string, NameRule>();
  for (const { rule } of lookupUses(config))
    if (!rules.has(lookupName(rule))) rules.set(lookupName(rule), rule);
  return [...rules.values()];
}

/** The tables of all rules that are read and followed, by {@link lookupName}. */
export const tablesByLookup = (config: TrackingConfig): ReadonlyMap<string, string> =>
  new Map(nameRules(config).map((rule) => [lookupName(rule), rule.table]));

/**
 * The lookups that are needed while entries are built, by {@link lookupName}: modifiers, labels and columns
 * in names of entries, and ways to tenants.
 */
export function heldLookups(config: TrackingConfig): ReadonlySet<string> {
  const held = new Set(config.modifiers.map(lookupName));
  for (const rule of config.tables) {
    const step = tenantStep(config, rule);
    if (step !== null) held.add(lookupName(step));
    for (const column of templateColumns(rule.name ?? [])) {
      const label = rule.labels.get(column);
      const labels = [
        ...(label === undefined ? [] : [label]),
        ...(rule.typedLabels.get(column)?.of.values() ?? []),
      ];
      for (const shown of labels) for (const lookup of labelWay(config, shown)) held.add(lookup);
    }
    for (const { steps, label } of namePaths(config, rule))
      for (const looked of [...steps, ...(label === null ? [] : [label])]) held.add(lookupName(looked));
  }
  return held;
}

/** Lookup tables, each once. The stream follows their changes. */
export const namesTables = (config: TrackingConfig): readonly TableName[] =>
  [...new Set(lookupUses(config).map(({ rule }) => rule.table))].map(tableName);

/** Audit tables whose rows are witnesses, each once. */
export const witnessTables = ({ attribution }: TrackingConfig): readonly TableName[] =>
  [...new Set(attribution.map(({ table }) => table))].map(tableName);

/** Tables that the publication needs even if they are not tracked, each once. */
export const neededTables = (config: TrackingConfig): readonly TableName[] => {
  const names = [...namesTables(config), ...witnessTables(config)].map(formatTable);
  return [...new Set(names)].map(tableName);
};
