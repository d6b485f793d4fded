import {
  matchingRule,
  SKIPPED,
  type ClassifiedChange,
  type CompiledRule,
} from '../pipeline/classification.js';
import { BASELINE_ACTION, type Operation } from '../tracking/rules.js';
import type { ExplainedAction } from './explanation.js';
import type { Subject } from './subject.js';

/** The rules by which changes of an operation are classified. */
export function rulesFor({ tracked }: Subject, operation: Operation): readonly CompiledRule[] {
  const { onInsert, onUpdate, onDelete, onTruncate } = tracked;
  return { insert: onInsert, update: onUpdate, delete: onDelete, truncate: onTruncate }[operation];
}

/** The action of a change, and the rule that has named it. */
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
 * Which rule has named the action of a stored entry. Its values may be redacted or left out, so there may be
 * several that can have done so.
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

/** Of the rules that the YAML says; the action of an operation needs none. */
const placesOf = (subject: Subject, rules: readonly CompiledRule[]): ExplainedAction['rules'] =>
  rules.flatMap(({ index }) => (index === null ? [] : [subject.at('actions', index)]));

function shownAs({ config }: Subject, category: string): ExplainedAction['shown'] {
  const text = config.actionNames.get(category);
  return text === undefined ? null : { text, rule: config.places.find(['action_names', category]) };
}
