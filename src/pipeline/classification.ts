import type { Tuple } from '../pgoutput/tuple.js';
import { DEFAULT_ACTIONS, type ActionRule, type Operation } from '../tracking/rules.js';
import { equals, equalsAny, type Condition } from './conditions.js';
import { DIFFERENT } from './difference.js';

/** A column of a relation, as rules refer to it. */
export interface Column {
  readonly index: number;
  readonly name: string;
  readonly typeOid: number;
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

export interface CompiledRule {
  readonly actionId: number;
  readonly matches: (change: ClassifiedChange) => boolean;
}

/** The rules of one operation, compiled for one relation version, ending in one that always matches. */
export function compileActions(options: {
  readonly operation: Operation;
  readonly rules: readonly ActionRule[];
  readonly columns: ReadonlyMap<string, Column>;
  readonly actionId: (name: string) => number;
}): readonly CompiledRule[] {
  const { operation, columns, actionId } = options;
  const rules = options.rules.filter((rule) => rule.on.includes(operation));
  return [
    ...rules.flatMap((rule) => {
      const matches = compileRule(rule, columns);
      return matches === null ? [] : [{ actionId: actionId(rule.action), matches }];
    }),
    { actionId: actionId(DEFAULT_ACTIONS[operation]), matches: () => true },
  ];
}

export function classify(rules: readonly CompiledRule[], change: ClassifiedChange): number {
  for (const rule of rules) if (rule.matches(change)) return rule.actionId;
  throw new RangeError('the last rule matches every change');
}

/**
 * Null when the relation lacks a column that the rule names: it can then never match (a schema change took
 * it).
 */
function compileRule(rule: ActionRule, columns: ReadonlyMap<string, Column>): CompiledRule['matches'] | null {
  const changed = rule.changed?.map((name) => columns.get(name)) ?? [];
  const when: Condition[] = [];
  for (const [name, values] of rule.when) {
    const column = columns.get(name);
    if (column === undefined) return null;
    when.push(equalsAny(column, values));
  }
  if (changed.includes(undefined)) return null;
  const watched = changed as Column[];
  const from = rule.from === undefined ? null : equals(watched[0]!, rule.from);
  const to = rule.to === undefined ? null : equals(watched[0]!, rule.to);
  const indexes = watched.map(({ index }) => index);
  return (change) =>
    (indexes.length === 0 ||
      (change.changed !== null && indexes.some((index) => change.changed![index] === DIFFERENT))) &&
    (from === null || (change.previous !== null && from(change.previous))) &&
    (to === null || (change.row !== null && to(change.row))) &&
    when.every((condition) => change.row !== null && condition(change.row));
}
