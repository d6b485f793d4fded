import type { KeyPath } from './document.js';
import { ruleFor } from './match.js';
import { tableName } from './names.js';
import type { LabelRule, ReferenceRule, TableRule, TrackingConfig } from './rules.js';
import { templateColumns } from './template.js';

/*
 * Columns of other rows in the name of a row: `{conversation_id.contact_id}` is the contact of the
 * conversation that the row refers to (DECISIONS 100). The label of a column states which table it refers to.
 */

/** The most tables that a path leads through, including the table of the word at its end. */
const MAX_STEPS = 2;

export interface NamePath {
  /** The column of the table itself. */
  readonly column: string;
  /** The lookups, one after the other. */
  readonly steps: readonly ReferenceRule[];
  /**
   * The label of the last column, from the rule of that column's table. Null: the value is shown as it is.
   */
  readonly label: LabelRule | null;
}

/** Returns the table's own column in a word of a name: `a` of `a.b` if `a` has a label. */
export function ownColumn({ labels }: Pick<TableRule, 'labels'>, word: string): string {
  const first = word.slice(0, Math.max(0, word.indexOf('.')));
  return labels.has(first) ? first : word;
}

/** The table's own columns in its name, in order and with repetitions. */
export const nameColumns = (rule: TableRule): readonly string[] =>
  templateColumns(rule.name ?? []).map((word) => ownColumn(rule, word));

/** Parses a word of a name as a path. Null: the word is a column. A string states a mistake. */
export function namePath(config: TrackingConfig, rule: TableRule, word: string): NamePath | string | null {
  const column = ownColumn(rule, word);
  if (column === word) return null;
  const rest = word.slice(column.length + 1).split('.');
  if (rest.includes('')) return `has "${word}" with an empty column name`;
  if (rest.length > MAX_STEPS) return `has "${word}", which leads through more than ${MAX_STEPS} tables`;
  const steps: ReferenceRule[] = [];
  let label: LabelRule | undefined = rule.labels.get(column);
  for (const [index, next] of rest.entries()) {
    if (label === undefined)
      return `has "${word}", but ${steps.at(-1)!.table} has no label for "${rest[index - 1]}", which would say what it refers to`;
    const { table, key, tenant } = label;
    steps.push({ table, key, column: next, name: [{ column: next }], tenant });
    label = ruleFor(config, tableName(table))?.labels.get(next);
  }
  // After two tables, a word would need a third one, and so would a label that is a path itself.
  const isThird = rest.length === MAX_STEPS || label === undefined || labelPath(config, label) !== null;
  return { column, steps, label: isThird ? null : label! };
}

/** The valid paths in the name of a row. {@link pathIssues} reports the others. */
export const namePaths = (config: TrackingConfig, rule: TableRule): readonly NamePath[] =>
  templateColumns(rule.name ?? []).flatMap((word) => {
    const path = namePath(config, rule, word);
    return path === null || typeof path === 'string' ? [] : [path];
  });

/** A label with a word from a further table: the lookup that leads to it, and the column there. */
export interface LabelPath {
  readonly via: ReferenceRule;
  readonly of: ReferenceRule;
}

/**
 * Parses the name of a label as a path, by the label of its first column in that table. Null: the name has
 * columns of its own table only. A string states a mistake.
 */
export function labelPath(config: TrackingConfig, label: LabelRule): LabelPath | string | null {
  const tracked = ruleFor(config, tableName(label.table));
  if (tracked === undefined) return null;
  const word = templateColumns(label.name).find((word) => ownColumn(tracked, word) !== word);
  if (word === undefined) return null;
  const [part, ...others] = label.name;
  if (others.length > 0 || !('column' in part!) || part.or !== undefined)
    return `has "${word}" and other parts; a word of another table must be the whole name of a label`;
  const path = namePath(config, tracked, word);
  if (path === null || typeof path === 'string') return path;
  const [of, further] = path.steps;
  if (further !== undefined) return `has "${word}", which leads through more than ${MAX_STEPS} tables`;
  const { table, key, tenant } = label;
  const { column } = path;
  return { via: { table, key, column, name: [{ column }], tenant }, of: of! };
}

/** Reports mistaken paths in names and labels, each at the key that has it. */
export const pathIssues = (
  config: TrackingConfig,
): readonly { readonly path: KeyPath; readonly message: string }[] =>
  config.tables.flatMap((rule) => {
    const found = [
      ...templateColumns(rule.name ?? []).map((word) => ({
        path: ['name'],
        message: namePath(config, rule, word),
      })),
      ...[...rule.labels].map(([column, label]) => ({
        path: ['labels', column, 'name'],
        message: labelPath(config, label),
      })),
      ...[...rule.typedLabels].flatMap(([column, { of }]) =>
        [...of].map(([type, label]) => ({
          path: ['labels', column, 'types', type, 'name'],
          message: labelPath(config, label),
        })),
      ),
    ];
    return found.flatMap(({ path, message }) =>
      typeof message === 'string'
        ? [{ path: config.places.originOf(['tables', rule.pattern, ...path]), message }]
        : [],
    );
  });
