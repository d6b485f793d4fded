import type { Tuple } from '../pgoutput/tuple.js';
import { SKIP } from '../tracking/action-schema.js';
import { isNamedBy } from '../tracking/column-lists.js';
import { DEFAULT_ACTIONS, type ActionRule, type Operation, type Wanted } from '../tracking/rules.js';
import type { Order } from '../tracking/value-order.js';
import { allOf, valueIs, type Verdict } from './conditions.js';
import { DIFFERENT, UNKNOWN } from './difference.js';
import { compareExactly } from './exact-order.js';
import { columnNamed, memberNumber, memberTexts } from './members.js';
import { sentIn } from './old-row.js';

/** A column of a relation, as rules refer to it. */
export interface Column {
  readonly index: number;
  readonly name: string;
  /** The type as which PostgreSQL prints its values (`printedType`). */
  readonly typeOid: number;
  readonly order: Order;
  readonly isJson: boolean;
  /**
   * Path to a member of the JSON in the column, from the outermost name. Null: the column itself is meant.
   */
  readonly member: readonly string[] | null;
}

/**
 * A change as rules see it. `previous` is null for an insert, and for an update whose old row was not sent.
 * Rules use known values only: a value that was not sent neither differs nor matches (DECISIONS 50).
 */
export interface ClassifiedChange {
  readonly previous: Tuple | null;
  /** The row after the change. For a delete, the row before it. */
  readonly row: Tuple | null;
  /** By column index: `EQUAL`, `DIFFERENT` or `UNKNOWN` of difference.ts. Updates only. */
  readonly changed: Uint8Array | null;
}

type ChangeCondition = (change: ClassifiedChange) => Verdict;

export interface CompiledRule {
  readonly actionId: number;
  /** Index of the rule in `actions`. Null: the action is the default action of the operation. */
  readonly index: number | null;
  /** Null: the rule matches every change. */
  readonly matches: ChangeCondition | null;
}

/** Stands for the action that makes no entry. The trail has no action with this number. */
export const SKIPPED = 0;

/**
 * Compiles the rules of one operation for one relation version. The last rule returned matches every change.
 */
export function compileActions(options: {
  readonly operation: Operation;
  readonly rules: readonly ActionRule[];
  readonly columns: ReadonlyMap<string, Column>;
  readonly actionId: (name: string) => number;
}): readonly CompiledRule[] {
  const { operation, columns, actionId } = options;
  return [
    ...options.rules.flatMap((rule, index) => {
      const matches = rule.on.includes(operation) ? compileRule(rule, columns) : 'never';
      if (matches === 'never') return [];
      return [{ actionId: rule.action === SKIP ? SKIPPED : actionId(rule.action), index, matches }];
    }),
    { actionId: actionId(DEFAULT_ACTIONS[operation]), index: null, matches: null },
  ];
}

/** Returns the action of the first rule that matches. */
export const classify = (rules: readonly CompiledRule[], change: ClassifiedChange): number =>
  matchingRule(rules, change).actionId;

/** Returns the first rule that matches. */
export function matchingRule(rules: readonly CompiledRule[], change: ClassifiedChange): CompiledRule {
  let isUnsure = false;
  for (const rule of rules) {
    const verdict = rule.matches === null ? 'holds' : rule.matches(change);
    if (verdict === 'unknown') isUnsure = true;
    // An earlier rule with an unknown verdict may be the right one. In this case a change is not skipped, so
    // that no entry is lost because a value was not sent.
    if (verdict === 'holds' && !(rule.actionId === SKIPPED && isUnsure)) return rule;
  }
  throw new RangeError('the last rule matches every change');
}

/**
 * Compiles one rule. Returns 'never' if the relation lacks a column that the rule needs, as after a schema
 * change. If any of several columns may differ, one existing column is enough. Returns null if the rule has
 * no condition.
 */
function compileRule(
  rule: ActionRule,
  columns: ReadonlyMap<string, Column>,
): ChangeCondition | null | 'never' {
  const found: (ChangeCondition | null)[] = [];
  const changed = rule.changed === null ? null : matching(rule.changed, columns);
  if (changed !== null) found.push(isChanged(changed));
  const [watched] = changed ?? [];
  for (const [side, wanted] of [
    ['previous', rule.from],
    ['row', rule.to],
  ] as const)
    if (wanted !== null) found.push(watched === undefined ? null : sideIs(side, watched, wanted));
  if (rule.increased.length > 0) found.push(hasMoved(matching(rule.increased, columns), 1));
  if (rule.decreased.length > 0) found.push(hasMoved(matching(rule.decreased, columns), -1));
  for (const [name, wanted] of rule.when) {
    const column = columnNamed(columns, name);
    found.push(column === undefined ? null : sideIs('row', column, wanted));
  }
  const conditions = found.filter((condition) => condition !== null);
  if (conditions.length < found.length) return 'never';
  return conditions.length === 0 ? null : allOf(conditions);
}

const matching = (items: readonly string[], columns: ReadonlyMap<string, Column>): readonly Column[] => [
  ...[...columns.values()].filter(({ name }) => items.some((item) => isNamedBy(item, name))),
  ...items.flatMap((item) => {
    const column = columns.has(item) ? undefined : columnNamed(columns, item);
    return column === undefined ? [] : [column];
  }),
];

/** Compiles the condition that one of the columns differs. Returns null if none of them exists. */
function isChanged(columns: readonly Column[]): ChangeCondition | null {
  if (columns.length === 0) return null;
  const whole = columns.filter(({ member }) => member === null).map(({ index }) => index);
  const members = columns.flatMap(({ index, member }) => (member === null ? [] : [{ index, path: member }]));
  return (change) => {
    const { changed } = change;
    if (changed === null) return 'fails';
    let verdict: Verdict = 'fails';
    for (const index of whole) {
      if (changed[index] === DIFFERENT) return 'holds';
      if (changed[index] === UNKNOWN) verdict = 'unknown';
    }
    for (const member of members) {
      const found = isMemberChanged(member, change);
      if (found === 'holds') return found;
      if (found === 'unknown') verdict = found;
    }
    return verdict;
  };
}

/** Reads the JSON only if the column differs. */
function isMemberChanged(
  { index, path }: { readonly index: number; readonly path: readonly string[] },
  { changed, previous, row }: ClassifiedChange,
): Verdict {
  if (changed![index] !== DIFFERENT) return changed![index] === UNKNOWN ? 'unknown' : 'fails';
  const [before, after] = [previous!, row!].map((one) => memberTexts(one, index, { path, ofLists: false }));
  if (before == null || after == null) return 'unknown';
  const isSame = before.length === after.length && before.every((text, at) => text === after[at]);
  return isSame ? 'fails' : 'holds';
}

/**
 * Compiles the condition that a value on one side of a change is as wanted. If an update did not change a
 * value, only the old row may have it.
 */
function sideIs(side: 'previous' | 'row', column: Column, wanted: Wanted): ChangeCondition {
  const test = valueIs(column, wanted);
  const { index } = column;
  if (side === 'previous') return ({ previous }) => (previous === null ? 'unknown' : test(previous));
  return ({ row, previous }) => {
    const holder = row === null ? null : sentIn(index, row, previous);
    return holder === null ? 'unknown' : test(holder);
  };
}

/**
 * Compiles the condition that one of the columns has increased (1) or decreased (-1). Returns null if none of
 * them has an order.
 */
function hasMoved(columns: readonly Column[], direction: 1 | -1): ChangeCondition | null {
  const ordered = columns.flatMap(({ index, order, member }) =>
    order === null ? [] : [{ index, order, member }],
  );
  if (ordered.length === 0) return null;
  return ({ changed, previous, row }) => {
    let verdict: Verdict = 'fails';
    for (const { index, order, member } of ordered) {
      if (changed?.[index] === UNKNOWN) verdict = 'unknown';
      if (changed?.[index] !== DIFFERENT) continue;
      const [before, after] = [previous!, row!].map((one) =>
        member === null ? one.text(index) : memberNumber(one, index, member),
      ) as [string | null, string | null];
      // A change from or to null is neither an increase nor a decrease.
      if (before === null || after === null) continue;
      const compared = compareExactly(order, after, before);
      if (compared === null) verdict = 'unknown';
      else if (Math.sign(compared) === direction) return 'holds';
    }
    return verdict;
  };
}
