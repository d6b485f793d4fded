/** One difference between a configuration and an older one. */
export interface ConfigurationChange {
  readonly aspect: Aspect;
  /** Canonical names; empty: it concerns every table. */
  readonly tables: readonly string[];
  /** For example `organization_id instead of none`. */
  readonly says: string;
  /** Whether some values will be stored more readably than before. This needs a deliberate decision. */
  readonly exposes: boolean;
}

/** A difference, before it is known which tables it concerns. */
export type Said = Omit<ConfigurationChange, 'tables'>;

/** The part of a configuration in which two configurations differ. */
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

/** Describes how two values differ; empty if they do not. */
export function changed(before: unknown, after: unknown, what = ''): string[] {
  if (textOf(before) === textOf(after)) return [];
  return [`${what === '' ? '' : `${what} `}${shown(after)} instead of ${shown(before)}`];
}

/** Describes how two lists differ. Order matters. */
export function listed<T>(before: readonly T[], after: readonly T[], nameOf: (item: T) => string): string[] {
  const [had, has] = [before, after].map((items) => new Set(items.map(textOf))) as [Set<string>, Set<string>];
  const added = after.filter((item) => !had.has(textOf(item)));
  const removed = before.filter((item) => !has.has(textOf(item)));
  const parts = partsOf({ added: added.map(nameOf), removed: removed.map(nameOf) });
  if (parts.length > 0) return [parts.join('; ')];
  return textOf(before) === textOf(after) ? [] : ['in another order'];
}

/** Describes how two mappings differ. */
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

/**
 * Words additions, removals and changes. An item under the same name in `added` and `removed` counts as
 * changed.
 */
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

/**
 * JSON text of a value. Maps are written as lists of pairs, because JSON.stringify writes them as empty
 * objects.
 */
const textOf = (value: unknown): string =>
  JSON.stringify(value, (_, member: unknown) => (member instanceof Map ? [...member] : member));
