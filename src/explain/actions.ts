import {
  matchingRule,
  SKIPPED,
  type ClassifiedChange,
  type CompiledRule,
} from '../pipeline/classification.js';
import { BASELINE_ACTION, type Operation } from '../tracking/rules.js';
import type { ExplainedAction } from './explanation.js';
import type { Subject } from './subject.js';

/** Returns the rules that classify changes of an operation. */
export function rulesFor({ tracked }: Subject, operation: Operation): readonly CompiledRule[] {
  const { onInsert, onUpdate, onDelete, onTruncate } = tracked;
  return { insert: onInsert, update: onUpdate, delete: onDelete, truncate: onTruncate }[operation];
}

/** Returns the action of a change, and the rule that named it. */
export function actionOf(
  subject: Subject,
  { operation, change }: { readonly operation: Operation; readonly change: ClassifiedChange },
): ExplainedAction {
  const rules = rulesFor(subject, operation);
  const rule = matchingRule(rules, change);
  const category = rule.actionId === SKIPPED ? 'skip' : subject.words.word(rule.actionId);
  return {
    category,
    shown: shownAs(subject, category),
    rules: placesOf(subject, [rule]),
    unknown: placesOf(subject, undecided(rules.slice(0, rules.indexOf(rule)), change)),
  };
}

/**
 * Returns the action of a stored entry, and the rules that may have named it. Values may be redacted or left
 * out, so several rules may be possible.
 */
export function actionOfEntry(
  subject: Subject,
  options: {
    readonly operation: Operation;
    readonly category: string;
    readonly change: ClassifiedChange;
  },
): ExplainedAction & { readonly isOfRules: boolean } {
  const { operation, category, change } = options;
  const rules = rulesFor(subject, operation);
  const first = rules.findIndex(({ matches }) => matches === null || matches(change) === 'holds');
  const able = rules.slice(0, first + 1).filter(({ actionId, matches }) => {
    const isNamed = actionId !== SKIPPED && subject.words.word(actionId) === category;
    return isNamed && (matches === null || matches(change) !== 'fails');
  });
  return {
    category,
    shown: shownAs(subject, category),
    rules: placesOf(subject, able),
    unknown: [],
    isOfRules: able.length > 0,
  };
}

/** The action of a row that existed already, which no rule of `actions` gives. */
export const actionOfBaseline = (subject: Subject): ExplainedAction => ({
  category: BASELINE_ACTION,
  shown: shownAs(subject, BASELINE_ACTION),
  rules: [],
  unknown: [],
});

const undecided = (rules: readonly CompiledRule[], change: ClassifiedChange): readonly CompiledRule[] =>
  rules.filter(({ matches }) => matches?.(change) === 'unknown');

/** Returns the places of rules that the YAML has. The default action of an operation has none. */
const placesOf = (subject: Subject, rules: readonly CompiledRule[]): ExplainedAction['rules'] =>
  rules.flatMap(({ index }) => (index === null ? [] : [subject.at('actions', index)]));

function shownAs({ config }: Subject, category: string): ExplainedAction['shown'] {
  const text = config.actionNames.get(category);
  return text === undefined ? null : { text, rule: config.places.find(['action_names', category]) };
}
