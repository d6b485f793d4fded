import { columnsMeant } from './member-path.js';
import { matchesColumn } from './names.js';
import type { TableRule } from './rules.js';

/** Lists of columns in the YAML: exact names, and patterns with `*`, which ignore case. */

export const isColumnPattern = (text: string): boolean => text.includes('*');

export const isNamedBy = (item: string, column: string): boolean =>
  isColumnPattern(item) ? matchesColumn(item, column) : item === column;

/**
 * Whether a change of this column alone makes no entry. A pattern does not ignore columns that an action of
 * the table names: `*_at` does not ignore `resolved_at` if an action has `changed: resolved_at`.
 */
export function isIgnored(
  { ignore, actions }: Pick<TableRule, 'ignore' | 'actions'>,
  column: string,
): boolean {
  if (ignore.includes(column)) return true;
  return (
    ignore.some((item) => isColumnPattern(item) && matchesColumn(item, column)) &&
    !actions.some(({ changed, increased, decreased }) =>
      [...(changed ?? []), ...increased, ...decreased].flatMap(columnsMeant).includes(column),
    )
  );
}
