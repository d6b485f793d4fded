import { booleanProblem, isBoolean } from './boolean-text.js';
import { isIgnored } from './column-lists.js';
import {
  BASELINE_ACTION,
  DEFAULT_ACTIONS,
  type ActionRule,
  type TableRule,
  type TrackingConfig,
  type Wanted,
} from './rules.js';
import { wordWarnings } from './word-findings.js';
import { isPublishable, nameOf, type PublishedTable } from './tracked.js';
import { orderOf } from './value-order.js';
import type { Catalog } from './catalog.js';
import { columnsMeant } from './member-path.js';
import { matchesTable } from './names.js';
import { didYouMean } from './nearest.js';

/**
 * Actions that no rule gives: those of Waltrail's own entries, and of rows that existed before tracking
 * began.
 */
const OWN_ACTIONS = ['gap', 'gap_closed', 'tracking', 'configuration', BASELINE_ACTION];

/**
 * Returns warnings about parts of the YAML that have no effect: actions that no change can have, modifiers
 * for such actions, and excludes that match no table.
 */
export function vainWarnings({
  config,
  catalog,
  published,
}: {
  readonly config: TrackingConfig;
  readonly catalog: Catalog;
  readonly published: readonly PublishedTable[];
}): string[] {
  return [
    ...unordered({ config, catalog, published }),
    ...wordWarnings({ config, catalog, published }),
    ...notBoolean({ config, catalog, published }),
    ...unusedNames(config),
    ...config.tables.flatMap((rule) => [
      ...unreachable(rule, config),
      ...withoutAction(rule, config),
      ...emptyBaseline(rule, config),
    ]),
    ...config.exclude.flatMap((pattern, place) =>
      catalog.tables.some((table) => isPublishable(table) && matchesTable(pattern, nameOf(table)))
        ? []
        : [`${config.places.of(['exclude', place])}: "${pattern}" excludes no table.`],
    ),
  ];
}

/** Texts under `action_names` for actions that no rule and no default gives. */
function unusedNames({ actionNames, tables, places }: TrackingConfig): string[] {
  const used = new Set([
    ...Object.values(DEFAULT_ACTIONS),
    ...OWN_ACTIONS,
    ...tables.flatMap(({ actions }) => actions.map(({ action }) => action)),
  ]);
  return [...actionNames.keys()]
    .filter((name) => !used.has(name))
    .map(
      (name) => `${places.of(['action_names', name])}: no change has this action.${didYouMean(name, used)}`,
    );
}

/**
 * Columns under `increased` or `decreased` whose type has no order, so that they can be neither more nor less
 * than before.
 */
function unordered({ config, catalog, published }: Parameters<typeof vainWarnings>[0]): string[] {
  return config.tables.flatMap((rule) =>
    rule.actions.flatMap((action, index) =>
      (['increased', 'decreased'] as const).flatMap((side) =>
        action[side].flatMap((name) => {
          const columns = published
            .filter((table) => table.rule === rule)
            .flatMap(({ table }) => table.columns.filter((column) => column.name === name));
          if (columns.length === 0 || columns.some(({ typeOid }) => orderOf(typeOid, catalog.types) !== null))
            return [];
          const at = config.places.of(['tables', rule.pattern, 'actions', index, side]);
          return [`${at}: "${name}" is ${columns[0]!.type}, which is neither a number nor a time.`];
        }),
      ),
    ),
  );
}

/** Conditions on boolean columns with a value that PostgreSQL does not read as a boolean. */
function notBoolean({ config, catalog, published }: Parameters<typeof vainWarnings>[0]): string[] {
  return config.tables.flatMap((rule) => {
    const booleans = new Set(
      published
        .filter((table) => table.rule === rule)
        .flatMap(({ table }) => table.columns)
        .flatMap(({ name, typeOid }) => (isBoolean(typeOid, catalog.types) ? [name] : [])),
    );
    const at = ['tables', rule.pattern];
    const conditions = [
      ...whenOf(rule.where, [...at, 'where']),
      ...rule.modifier.flatMap(({ when }, index) => whenOf(when, [...at, 'modifier', index, 'when'])),
      ...rule.actions.flatMap(({ when, changed, from, to }, index) => [
        ...whenOf(when, [...at, 'actions', index, 'when']),
        ...(changed ?? []).flatMap((column): BooleanCondition[] => [
          ...(from === null ? [] : [{ column, wanted: from, place: [...at, 'actions', index, 'from'] }]),
          ...(to === null ? [] : [{ column, wanted: to, place: [...at, 'actions', index, 'to'] }]),
        ]),
      ]),
    ];
    return conditions.flatMap(({ column, wanted, place }) =>
      booleans.has(column)
        ? wanted.values.flatMap((value) => {
            const problem = value === null ? null : booleanProblem(value, column);
            return problem === null ? [] : [`${config.places.of(place)}: ${problem}`];
          })
        : [],
    );
  });
}

interface BooleanCondition {
  readonly column: string;
  readonly wanted: Wanted;
  readonly place: readonly (string | number)[];
}

const whenOf = (
  when: ReadonlyMap<string, Wanted> | null,
  place: readonly (string | number)[],
): BooleanCondition[] =>
  [...(when ?? [])].map(([column, wanted]) => ({ column, wanted, place: [...place, column] }));

function unreachable(rule: TableRule, { places }: TrackingConfig): string[] {
  return rule.actions.flatMap((action, index) => {
    const at = places.of(['tables', rule.pattern, 'actions', index]);
    if (
      action.changed !== null &&
      action.changed.every((name) => columnsMeant(name).some((column) => isIgnored(rule, column)))
    )
      return [
        `${at}: action ${action.action} is never taken: changes of ${action.changed.join(', ')} are ignored.`,
      ];
    const before = rule.actions.slice(0, index);
    const hidden = action.on.every((operation) =>
      before.some((other) => other.on.includes(operation) && covers(other, action)),
    );
    return hidden
      ? [`${at}: action ${action.action} is never taken: earlier rules match every change that it matches.`]
      : [];
  });
}

function withoutAction(rule: TableRule, { places }: TrackingConfig): string[] {
  return rule.modifier.flatMap(({ actions, on, column }, index) => {
    if (actions === null) return [];
    const taken = rule.actions.filter((action) => on.some((operation) => action.on.includes(operation)));
    const known = [
      ...taken.map(({ action }) => action),
      ...on.map((operation) => DEFAULT_ACTIONS[operation]),
    ];
    if (actions.some((action) => known.includes(action))) return [];
    const at = places.of(['tables', rule.pattern, 'modifier', index, 'action']);
    return [
      `${at}: column "${column}" never names a modifier: ${on.join(' or ')} of this table is never ${actions.join(' or ')}.${didYouMean(actions[0]!, known)}`,
    ];
  });
}

/** Warns about a baseline of a table without `insert` in `operations`: its rows would make no entries. */
const emptyBaseline = ({ baseline, operations, pattern }: TableRule, { places }: TrackingConfig): string[] =>
  baseline === null || operations === null || operations.includes('insert')
    ? []
    : [
        `${places.of(['tables', pattern, 'baseline'])}: it stores no entries, because operations leaves out insert.`,
      ];

/** Whether the first rule matches every change that the second one matches. */
function covers(first: ActionRule, second: ActionRule): boolean {
  if (first.changed !== null) {
    if (second.changed === null || !second.changed.every((column) => first.changed!.includes(column)))
      return false;
    for (const side of ['from', 'to'] as const)
      if (first[side] !== null && !implies(second[side], first[side])) return false;
  }
  for (const side of ['increased', 'decreased'] as const)
    if (first[side].length > 0 && !isWithin(second[side], first[side])) return false;
  return [...first.when].every(([column, wanted]) => implies(second.when.get(column) ?? null, wanted));
}

/** Whether every value that the first condition accepts is accepted by the second one too. */
function implies(first: Wanted | null, second: Wanted): boolean {
  if (first === null) return false;
  if (first.not) return second.not && second.values.every((value) => first.values.includes(value));
  return first.values.every((value) => second.values.includes(value) !== second.not);
}

const isWithin = (columns: readonly string[], others: readonly string[]): boolean =>
  columns.length > 0 && columns.every((column) => others.includes(column));
