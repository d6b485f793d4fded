import { isColumnPattern } from './column-lists.js';
import type { KeyPath } from './document.js';
import { lookupUses, type LookupUse } from './lookups.js';
import { ruleFor } from './match.js';
import { nameColumns } from './name-paths.js';
import { formatTable, type TableName } from './names.js';
import type { TableRule, TrackingConfig, WitnessRule } from './rules.js';
import { templateColumns } from './template.js';

/** A column that the YAML names, or a member of its JSON, and the path of the key that names it. */
export interface ColumnUse {
  readonly path: KeyPath;
  readonly column: string;
}

/** Returns the columns that the rule of a table names, without patterns. */
export function columnUses(rule: TableRule): ColumnUse[] {
  const at = (...keys: KeyPath): KeyPath => ['tables', rule.pattern, ...keys];
  const all = (keys: KeyPath, columns: readonly string[] | null): ColumnUse[] =>
    (columns ?? []).map((column) => ({ path: at(...keys), column }));
  const listed = (keys: KeyPath, columns: readonly string[]): ColumnUse[] =>
    columns.flatMap((column, index) =>
      isColumnPattern(column) ? [] : [{ path: at(...keys, index), column }],
    );
  const each = (keys: KeyPath, columns: ReadonlyMap<string, unknown>): ColumnUse[] =>
    [...columns.keys()].map((column) => ({ path: at(...keys, column), column }));
  return [
    ...all(['id'], rule.id),
    ...all(['name'], nameColumns(rule)),
    ...modifierUses(rule),
    ...all(
      rule.tenantOf === null ? ['tenant'] : ['tenant', 'via'],
      rule.tenant === null ? null : [rule.tenant],
    ),
    ...listed(['ignore'], rule.ignore),
    ...each(['labels'], rule.labels),
    ...each(['labels'], rule.typedLabels),
    ...[...rule.typedLabels].map(([column, { type }]) => ({
      path: at('labels', column, 'type'),
      column: type,
    })),
    ...each(['values'], rule.values),
    ...each(['values'], rule.bits),
    ...each(['where'], rule.where),
    ...rule.actions.flatMap(({ changed, increased, decreased, when }, index) => [
      ...all(['actions', index, 'changed'], changed?.filter((column) => !isColumnPattern(column)) ?? null),
      ...all(['actions', index, 'increased'], increased),
      ...all(['actions', index, 'decreased'], decreased),
      ...each(['actions', index, 'when'], when),
    ]),
  ];
}

/**
 * Columns that the rules for the modifier name. With one rule, the path has no index: the file may have a
 * column there, not a list.
 */
const modifierUses = ({ pattern, modifier }: TableRule): ColumnUse[] =>
  modifier.flatMap(({ column, as, when }, index) => {
    const path = ['tables', pattern, 'modifier', ...(modifier.length === 1 ? [] : [index])];
    return [
      { path, column },
      ...(typeof as === 'number' ? [] : [{ path: [...path, 'as'], column: as.column }]),
      ...[...when.keys()].map((name) => ({ path: [...path, 'when', name], column: name })),
    ];
  });

/** Columns that a lookup reads in its table: for `modifiers`, a label, a name or a tenant. */
export function lookupColumns({ path, rule, gives }: LookupUse): ColumnUse[] {
  if ('column' in rule)
    return gives === 'names'
      ? // The key is reported with the label.
        [{ path, column: rule.column }]
      : [
          { path: [...path, 'key'], column: rule.key },
          { path: [...path, 'tenant'], column: rule.column },
        ];
  return [
    { path: [...path, 'key'], column: rule.key },
    ...templateColumns(rule.name).map((column) => ({ path: [...path, 'name'], column })),
    ...(rule.tenant === null ? [] : [{ path: [...path, 'tenant'], column: rule.tenant }]),
    ...('kind' in rule && rule.kind !== null
      ? [{ path: [...path, 'kind', 'column'], column: rule.kind.column }]
      : []),
  ];
}

/** Columns of an audit table that a rule of `attribution` names. */
export function witnessColumns({ modifier, as, when, row }: WitnessRule, index: number): ColumnUse[] {
  const at = (...keys: KeyPath): KeyPath => ['attribution', index, ...keys];
  return [
    { path: at('modifier'), column: modifier },
    ...(typeof as === 'number' ? [] : [{ path: at('as'), column: as.column }]),
    ...[...when.keys()].map((column) => ({ path: at('when', column), column })),
    ...(row === null ? [] : [{ path: at('row', 'key'), column: row.key }]),
    ...(row === null || 'table' in row.of ? [] : [{ path: at('row', 'type'), column: row.of.type }]),
  ];
}

/**
 * Everything that names columns of one table: its rule, lookups in it, and `attribution` where it is an audit
 * table.
 */
export function usesOfTable(config: TrackingConfig, table: TableName): ColumnUse[] {
  const rule = ruleFor(config, table);
  const key = formatTable(table);
  return [
    ...(rule === undefined ? [] : columnUses(rule)),
    ...lookupUses(config)
      .filter((use) => use.rule.table === key)
      .flatMap(lookupColumns),
    ...config.attribution.flatMap((witness, index) =>
      witness.table === key ? witnessColumns(witness, index) : [],
    ),
  ];
}

/**
 * Columns of a table that lookups and witnesses need: the keys of lookups, tenants and columns that lead to
 * tenants, and the modifier of an audit row.
 */
export const namesKeys = (config: TrackingConfig, table: TableName): readonly string[] => [
  ...lookupUses(config)
    .filter(({ rule }) => rule.table === formatTable(table))
    .flatMap(({ rule, gives }) => [
      rule.key,
      ...(rule.tenant === null ? [] : [rule.tenant]),
      ...('column' in rule && gives === 'tenants' ? [rule.column] : []),
    ]),
  ...config.attribution
    .filter((witness) => witness.table === formatTable(table))
    .map(({ modifier }) => modifier),
];
