/** One thing that another configuration does otherwise. */
export interface ConfigurationChange {
  readonly aspect: Aspect;
  /** Canonical names; empty: it concerns every table. */
  readonly tables: readonly string[];
  /** As `organization_id instead of none`. */
  readonly says: string;
  /** More of some values will be stored than was: somebody has to have meant it. */
  readonly exposes: boolean;
}

/** A change before it is known which tables it concerns. */
export type Said = Omit<ConfigurationChange, 'tables'>;

/** Of what a difference between two configurations is. */
export type Aspect =
  | 'tracking'
  | 'redaction'
  | 'entity'
  | 'name'
  | 'id'
  | 'modifier'
  | 'tenant'
  | 'operations'
  | 'baseline'
  | 'where'
  | 'ignore'
  | 'labels'
  | 'values'
  | 'actions'
  | 'modifiers'
  | 'attribution'
  | 'session'
  | 'messages'
  | 'action_names';

/** How two values differ; empty: they do not. */
export function changed(before: unknown, after: unknown, what = ''): string[] {
  if (textOf(before) === textOf(after)) return [];
  return [`${what === '' ? '' : `${what} `}${shown(after)} instead of ${shown(before)}`];
}

/** The same of two lists, of which the order counts. */
export function listed<T>(before: readonly T[], after: readonly T[], nameOf: (item: T) => string): string[] {
  const [had, has] = [before, after].map((items) => new Set(items.map(textOf))) as [Set<string>, Set<string>];
  const added = after.filter((item) => !had.has(textOf(item)));
  const removed = before.filter((item) => !has.has(textOf(item)));
  const parts = partsOf({ added: added.map(nameOf), removed: removed.map(nameOf) });
  if (parts.length > 0) return [parts.join('; ')];
  return textOf(before) === textOf(after) ? [] : ['in another order'];
}

/** The same of two mappings. */
export function mapped<T>(before: ReadonlyMap<string, T>, after: ReadonlyMap<string, T>): string[] {
  const parts = partsOf({
    added: [...after.keys()].filter((key) => !before.has(key)),
    removed: [...before.keys()].filter((key) => !after.has(key)),
    changed: [...after.keys()].filter(
      (key) => before.has(key) && textOf(before.get(key)) !== textOf(after.get(key)),
    ),
  });
  return parts.length === 0 ? [] : [parts.join('; ')];
}

/** A rule that is in both lists under one name has changed. */
function partsOf(names: {
  readonly added: readonly string[];
  readonly removed: readonly string[];
  readonly changed?: readonly string[];
}): readonly string[] {
  const both = names.added.filter((name) => names.removed.includes(name));
  const without = (list: readonly string[]): readonly string[] => list.filter((name) => !both.includes(name));
  return (
    [
      ['added', without(names.added)],
      ['removed', without(names.removed)],
      ['changed', [...new Set([...both, ...(names.changed ?? [])])]],
    ] as const
  ).flatMap(([word, list]) => (list.length === 0 ? [] : [`${word}: ${list.join(', ')}`]));
}

const shown = (value: unknown): string =>
  value === null ? 'none' : typeof value === 'string' ? value : textOf(value);

/** Mappings as pairs: JSON has none of theirs. */
const textOf = (value: unknown): string =>
  JSON.stringify(value, (_, member: unknown) => (member instanceof Map ? [...member] : member));
