import type { KeyPath } from './document.js';
import type { TroubleEffect } from './findings.js';
import { ruleFor } from './match.js';
import { labelPath, namePaths } from './name-paths.js';
import { formatTable, tableName, type TableName } from './names.js';
import type { LabelRule, NameRule, ReferenceRule, TableRule, TrackingConfig } from './rules.js';
import { templateColumns } from './template.js';
import { tenantStep, tenantSteps } from './tenants.js';

/*
 * What rows of one table ask of rows of another: names of modifiers, words of labels, and columns that a
 * name or the way to a tenant takes.
 */

/**
 * What the names of a rule are kept under in `trail.lookup`: the table. A column that is followed for others
 * has a name of its own beside the words of its table.
 */
export const lookupName = (rule: NameRule): string =>
  'column' in rule ? JSON.stringify([rule.table, rule.key, rule.column]) : rule.table;

/** What {@link lookupName} has made a name of; `column` null: the words of the table. */
export function lookedUp(name: string): { readonly table: string; readonly column: string | null } {
  if (!name.startsWith('[')) return { table: name, column: null };
  const [table, , column] = JSON.parse(name) as [string, string, string];
  return { table, column };
}

/**
 * Column of a lookup table that holds the tenant of a row, or where {@link lookupTenantSteps} go from: as the
 * YAML names it, or as the table is tracked, where a table that a pattern matches may lack it. Null: rows
 * have no tenant.
 */
export const lookupTenant = (config: TrackingConfig, rule: NameRule): string | null =>
  rule.tenant ?? trackedBy(config, rule)?.tenant ?? null;

/** The way from a row of a lookup table to its tenant; empty: a column holds it, or rows have none. */
export function lookupTenantSteps(config: TrackingConfig, rule: NameRule): readonly ReferenceRule[] {
  const tracked = rule.tenant === null ? trackedBy(config, rule) : undefined;
  return tracked === undefined ? [] : tenantSteps(config, tracked);
}

const trackedBy = (config: TrackingConfig, { table }: NameRule): TableRule | undefined =>
  ruleFor(config, tableName(table));

/** What looks into a table, and the key of the file it stands under. */
export interface LookupUse {
  readonly path: KeyPath;
  readonly rule: NameRule;
  readonly gives: 'names' | 'tenants';
}

/** What it means for the trail that a table cannot be looked into. */
export const effectOf = ({ gives }: LookupUse): TroubleEffect => `${gives} unknown`;

/**
 * Every use of a table that others look into: `modifiers`, then what tables ask for in the order of the file.
 */
export function lookupUses(config: TrackingConfig): readonly LookupUse[] {
  let uses = USES.get(config);
  if (uses === undefined) USES.set(config, (uses = findLookupUses(config)));
  return uses;
}

/** Of each configuration, once: every table is asked about. */
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

/** What a label looks into: its table, or one column of that and one of a further table. */
function labelUses(config: TrackingConfig, path: KeyPath, label: LabelRule): LookupUse[] {
  const through = labelPath(config, label);
  const gives = 'names';
  if (through === null || typeof through === 'string') return [{ path, rule: label, gives }];
  return [through.via, through.of].map((rule) => ({ path: [...path, 'name'], rule, gives }));
}

/** What is looked into for the word of a label, by {@link lookupName}, one key after the other. */
export const labelWay = (config: TrackingConfig, label: LabelRule): readonly string[] =>
  labelUses(config, [], label).map(({ rule }) => lookupName(rule));

/** What is read and followed, each once: a table may give words, and single columns beside them. */
export function nameRules(config: TrackingConfig): readonly NameRule[] {
  const rules = new Map<string, NameRule>();
  for (const { rule } of lookupUses(config))
    if (!rules.has(lookupName(rule))) rules.set(lookupName(rule), rule);
  return [...rules.values()];
}

/** The tables of what is read and followed, by {@link lookupName}. */
export const tablesByLookup = (config: TrackingConfig): ReadonlyMap<string, string> =>
  new Map(nameRules(config).map((rule) => [lookupName(rule), rule.table]));

/**
 * What is looked up while entries are made, by {@link lookupName}: modifiers, labels and columns that
 * names of entries use, and the ways to tenants.
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

/** Tables that others look into, each once: they are followed in the stream. */
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
