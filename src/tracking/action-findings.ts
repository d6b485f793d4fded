import {
  DEFAULT_ACTIONS,
  type ActionRule,
  type Scalar,
  type TableRule,
  type TrackingConfig,
} from './rules.js';
import { isPublishable, nameOf } from './tracked.js';
import type { Catalog } from './catalog.js';
import { matchesTable } from './names.js';
import { didYouMean } from './nearest.js';

/**
 * Sentences about what the YAML says in vain: actions that no change can reach, modifiers of actions that no
 * change has, exclusions of nothing.
 */
export function vainWarnings({
  config,
  catalog,
}: {
  readonly config: TrackingConfig;
  readonly catalog: Catalog;
}): string[] {
  return [
    ...config.tables.flatMap((rule) => [...unreachable(rule, config), ...withoutAction(rule, config)]),
    ...config.exclude.flatMap((pattern, place) =>
      catalog.tables.some((table) => isPublishable(table) && matchesTable(pattern, nameOf(table)))
        ? []
        : [`${config.places.of(['exclude', place])}: "${pattern}" excludes no table.`],
    ),
  ];
}

function unreachable(rule: TableRule, { places }: TrackingConfig): string[] {
  return rule.actions.flatMap((action, index) => {
    const at = places.of(['tables', rule.pattern, 'actions', index]);
    if (action.changed !== null && action.changed.every((column) => rule.ignore.includes(column)))
      return [
        `${at}: action ${action.action} is never taken: changes of ${action.changed.join(', ')} are ignored.`,
      ];
    const before = rule.actions.slice(0, index);
    const hidden = action.on.every((operation) =>
      before.some((other) => other.on.includes(operation) && covers(other, action)),
    );
    return hidden
      ? [`${at}: action ${action.action} is never taken: rules before it match whatever it matches.`]
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

/** Whether the first rule matches every change that the second one does. */
function covers(first: ActionRule, second: ActionRule): boolean {
  if (first.changed !== null) {
    if (second.changed === null || !second.changed.every((column) => first.changed!.includes(column)))
      return false;
    for (const side of ['from', 'to'] as const)
      if (first[side] !== undefined && first[side] !== second[side]) return false;
  }
  return [...first.when].every(([column, values]) => {
    const narrower = second.when.get(column);
    return narrower !== undefined && narrower.every((value: Scalar) => values.includes(value));
  });
}
