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
  readonly typeOid: number;
  readonly order: Order;
  readonly isJson: boolean;
  /** Names of a member of the JSON in it, from the outermost on; null: the column itself is meant. */
  readonly member: readonly string[] | null;
}

/**
 * What a rule may look at. `previous` is absent for an insert, and in an update whose old row was not sent. A
 * rule acts on what is known: a value that was not sent neither differs nor matches (DECISIONS 50).
 */
export interface ClassifiedChange {
  readonly previous: Tuple | null;
  /** After the change; before it for a delete. */
  readonly row: Tuple | null;
  /** By column index: `EQUAL`, `DIFFERENT` or `UNKNOWN` of difference.ts. Updates only. */
  readonly changed: Uint8Array | null;
}

type ChangeCondition = (change: ClassifiedChange) => Verdict;

export interface CompiledRule {
  readonly actionId: number;
  /** The rule of `actions`, by its index; null: the action is that of the operation. */
  readonly index: number | null;
  /** Null: it matches every change. */
  readonly matches: ChangeCondition | null;
}

/** Of the action that makes no entry; the trail has no such number. */
export const SKIPPED = 0;

/** The rules of one operation, compiled for one relation version, ending in one that always matches. */
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

/** The action of the first rule that matches. */
export const classify = (rules: readonly CompiledRule[], change: ClassifiedChange): number =>
  matchingRule(rules, change).actionId;

/** The first rule that matches. */
export function matchingRule(rules: readonly CompiledRule[], change: ClassifiedChange): CompiledRule {
  let isUnsure = false;
  for (const rule of rules) {
    const verdict = rule.matches === null ? 'holds' : rule.matches(change);
    if (verdict === 'unknown') isUnsure = true;
    // A rule before may be the one that was meant: no entry is lost because a value was not sent.
    if (verdict === 'holds' && !(rule.actionId === SKIPPED && isUnsure)) return rule;
  }
  throw new RangeError('the last rule matches every change');
}

/**
 * Never, when the relation lacks a column that the rule needs: a schema change took it. Of several columns
 * of which any may differ, one is enough. Null: there is no condition.
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

/** Null where none of the columns exists. */
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

/** Looks into the JSON only where it differs. */
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

/** A value that the update did not touch may stand in the old row alone. */
function sideIs(side: 'previous' | 'row', column: Column, wanted: Wanted): ChangeCondition {
  const test = valueIs(column, wanted);
  const { index } = column;
  if (side === 'previous') return ({ previous }) => (previous === null ? 'unknown' : test(previous));
  return ({ row, previous }) => {
    const holder = row === null ? null : sentIn(index, row, previous);
    return holder === null ? 'unknown' : test(holder);
  };
}

/** Whether one of the columns is greater than before, or less; null where none of them has an order. */
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
      // To a value from null, or the other way round, is neither more nor less.
      if (before === null || after === null) continue;
      const compared = compareExactly(order, after, before);
      if (compared === null) verdict = 'unknown';
      else if (Math.sign(compared) === direction) return 'holds';
    }
    return verdict;
  };
}
