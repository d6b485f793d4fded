import { isTree, plainText, valuesAt } from '../pg/json-members.js';
import type { Tuple } from '../pgoutput/tuple.js';
import { memberPath } from '../tracking/member-path.js';
import type { Scalar } from '../tracking/rules.js';
import type { Order } from '../tracking/value-order.js';
import { compareExactly } from './exact-order.js';

/*
 * Members of JSON that the YAML names: `changed: settings.plan`, `when: { settings.plan: 2 }`. JSON is read
 * only in tables whose rules name a member.
 */

/** What finding a member needs to know about a column. */
interface JsonColumn {
  readonly isJson: boolean;
  /** Path to the member, from the outermost name. Null: the whole column is meant. */
  readonly member: readonly string[] | null;
  readonly order: Order;
}

/** Returns the column that a name means, with the member if the name has one. Undefined: there is none. */
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
 * Returns the JSON texts of a member in a row. Empty: there is no such member, or the column is null. Null:
 * the value cannot be read.
 *
 * @param row a row in which the value was sent
 * @param options.ofLists whether a list at the end of the path gives the text of each of its items
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

/** Returns the number in a member. Null: it is no number, or there are several values. */
export function memberNumber(row: Tuple, index: number, path: readonly string[]): string | null {
  const found = memberTexts(row, index, { path, ofLists: false });
  const [text] = found ?? [];
  return found?.length === 1 && NUMBER.test(text!) ? text! : null;
}

/**
 * Whether one of a member's values equals the value that a person wrote in YAML. A missing member is null,
 * like JSON's null. Numbers are compared by value, and `"2"` equals 2.
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
