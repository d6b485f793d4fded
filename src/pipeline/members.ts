import { isTree, plainText, valuesAt } from '../pg/json-members.js';
import type { Tuple } from '../pgoutput/tuple.js';
import { memberPath } from '../tracking/member-path.js';
import type { Scalar } from '../tracking/rules.js';
import type { Order } from '../tracking/value-order.js';
import { compareExactly } from './exact-order.js';

/*
 * Members of JSON that the YAML asks for: `changed: settings.plan`, `when: { settings.plan: 2 }`. Rows of
 * tables whose rules name none are not looked into.
 */

/** What finding a member needs to know of a column. */
interface JsonColumn {
  readonly isJson: boolean;
  /** Names of members from the outermost on; null: the whole column is meant. */
  readonly member: readonly string[] | null;
  readonly order: Order;
}

/** The column that a name means, with the member of it; undefined: there is none. */
export function columnNamed<T extends JsonColumn>(
  columns: ReadonlyMap<string, T>,
  name: string,
): T | undefined {
  const whole = columns.get(name);
  if (whole !== undefined) return whole;
  const member = memberPath(name);
  const column = member === null ? undefined : columns.get(member.column);
  return column?.isJson === true ? { ...column, member: member!.path, order: 'number' } : undefined;
}

const NUMBER = /^-?\d/;

/**
 * Returns the JSON texts of a member in a row; of a list in the JSON those of each of its items. Empty: there
 * is no such member, or the column is null. Null: the value cannot be read.
 *
 * @param row one in which the value was sent
 */
export function memberTexts(
  row: Tuple,
  index: number,
  options: { readonly path: readonly string[]; readonly ofLists: boolean },
): readonly string[] | null {
  if (!row.has(index)) return [];
  const start = row.offsets[index]!;
  return valuesAt(row.bytes.subarray(start, start + row.lengths[index]!), options);
}

/** The number of a member; null: it is none, or there are several. */
export function memberNumber(row: Tuple, index: number, path: readonly string[]): string | null {
  const found = memberTexts(row, index, { path, ofLists: false });
  const [text] = found ?? [];
  return found?.length === 1 && NUMBER.test(text!) ? text! : null;
}

/**
 * Whether one of the values of a member is the one that a person has written in YAML. What is no member is
 * null, as JSON's null is; numbers are compared by value, and `"2"` is 2.
 */
export function isOneOf(found: readonly string[], wanted: Scalar): boolean {
  if (wanted === null) return found.length === 0 || found.includes('null');
  const text = String(wanted);
  return found.some((json) => {
    if (isTree(json) || json === 'null') return false;
    if (typeof wanted === 'number' && NUMBER.test(json)) return compareExactly('number', json, text) === 0;
    return plainText(json) === text;
  });
}
