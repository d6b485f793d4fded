import type { KeyPath } from './document.js';
import { ruleFor } from './match.js';
import { tableName } from './names.js';
import type { LabelRule, ReferenceRule, TableRule, TrackingConfig } from './rules.js';
import { templateColumns } from './template.js';

/*
 * Columns of other rows in the name of a row: `{conversation_id.contact_id}` is the contact of the
 * conversation that the row refers to (DECISIONS 100). What a column refers to is what its label says.
 */

/** Tables that a path looks into, with that of the word at its end. */
const MAX_STEPS = 2;

export interface NamePath {
  /** The column of the row itself. */
  readonly column: string;
  /** What is looked into, one key after the other. */
  readonly steps: readonly ReferenceRule[];
  /** The label of the last column, in the table that it is of; null: it is shown as it is. */
  readonly label: LabelRule | null;
}

/** The column of the table itself that a word of its name begins with: `a` of `a.b` where `a` has a label. */
export function ownColumn({ labels }: Pick<TableRule, 'labels'>, word: string): string {
  const first = word.slice(0, Math.max(0, word.indexOf('.')));
  return labels.has(first) ? first : word;
}

/** Columns of the table itself that its name is made of, in order, with repetitions. */
export const nameColumns = (rule: TableRule): readonly string[] =>
  templateColumns(rule.name ?? []).map((word) => ownColumn(rule, word));

/** The path that a word of a name is; null: it is a column. A string says what is wrong with it. */
export function namePath(config: TrackingConfig, rule: TableRule, word: string): NamePath | string | null {
  const column = ownColumn(rule, word);
  if (column === word) return null;
  const rest = word.slice(column.length + 1).split('.');
  if (rest.includes('')) return `has "${word}", in which a name of a column is empty`;
  if (rest.length > MAX_STEPS) return `has "${word}", which leads through more than ${MAX_STEPS} tables`;
  const steps: ReferenceRule[] = [];
  let label: LabelRule | undefined = rule.labels.get(column);
  for (const [index, next] of rest.entries()) {
    if (label === undefined)
      return `has "${word}", but no label of ${steps.at(-1)!.table} says what "${rest[index - 1]}" refers to`;
    const { table, key, tenant } = label;
    steps.push({ table, key, column: next, name: [{ column: next }], tenant });
    label = ruleFor(config, tableName(table))?.labels.get(next);
  }
  // At the end of two tables a word would be the third, and so would one that is a path itself.
  const isThird = rest.length === MAX_STEPS || label === undefined || labelPath(config, label) !== null;
  return { column, steps, label: isThird ? null : label! };
}

/** The paths in the name of a row. Those with a mistake are left out: {@link pathIssues} tells of them. */
export const namePaths = (config: TrackingConfig, rule: TableRule): readonly NamePath[] =>
  templateColumns(rule.name ?? []).flatMap((word) => {
    const path = namePath(config, rule, word);
    return path === null || typeof path === 'string' ? [] : [path];
  });

/** A label whose word is a column of a further table: what leads there, and that column. */
export interface LabelPath {
  readonly via: ReferenceRule;
  readonly of: ReferenceRule;
}

/**
 * The path that the name of a label is, by the label that its table has for the first column; null: it is
 * made of columns of its table. A string says what is wrong with it.
 */
export function labelPath(config: TrackingConfig, label: LabelRule): LabelPath | string | null {
  const tracked = ruleFor(config, tableName(label.table));
  if (tracked === undefined) return null;
  const word = templateColumns(label.name).find((word) => ownColumn(tracked, word) !== word);
  if (word === undefined) return null;
  const [part, ...others] = label.name;
  if (others.length > 0 || !('column' in part!) || part.or !== undefined)
    return `has "${word}" beside other parts; a word of another table is the whole name of a label`;
  const path = namePath(config, tracked, word);
  if (path === null || typeof path === 'string') return path;
  const [of, further] = path.steps;
  if (further !== undefined) return `has "${word}", which leads through more than ${MAX_STEPS} tables`;
  const { table, key, tenant } = label;
  const { column } = path;
  return { via: { table, key, column, name: [{ column }], tenant }, of: of! };
}

/** Paths in names and labels that lead nowhere, each at the key that it stands under. */
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
