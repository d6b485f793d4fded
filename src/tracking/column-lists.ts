import { columnsMeant } from './member-path.js';
import { matchesColumn } from './names.js';
import type { TableRule } from './rules.js';

/** Lists of columns in the YAML: names as they are, and patterns with `*`, which ignore case. */

export const isColumnPattern = (text: string): boolean => text.includes('*');

export const isNamedBy = (item: string, column: string): boolean =>
  isColumnPattern(item) ? matchesColumn(item, column) : item === column;

/**
 * Whether a change of the column alone makes no entry. A pattern does not ignore what an action of the table
 * names: `*_at` leaves `resolved_at` alone where `changed: resolved_at` names an action.
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
