import { OID_BOOLS } from '../pg/array-text.js';
import type { Scalar } from './rules.js';
import { printedType, type CatalogType } from './value-kind.js';

export const OID_BOOL = 16;

const TRUE = /^(?:t|tr|tru|true|y|ye|yes|on|1)$/i;
const FALSE = /^(?:f|fa|fal|fals|false|n|no|of|off|0)$/i;

/**
 * Returns how PostgreSQL prints a boolean that a person has written in one of the ways that it reads: `true`,
 * `yes`, `on`, 1. In YAML, `yes` and `on` are texts. Null: it is no boolean.
 */
export function printedBoolean(value: Scalar): 't' | 'f' | null {
  const text = String(value);
  return TRUE.test(text) ? 't' : FALSE.test(text) ? 'f' : null;
}

/** Returns what is wrong with a value that a person has written for a boolean column; null: nothing. */
export const booleanProblem = (value: Scalar, column: string): string | null =>
  printedBoolean(value) === null
    ? `"${String(value)}" is no value of "${column}", which is a boolean. Write true or false.`
    : null;

/** True if PostgreSQL prints the values of a type as booleans. */
export const isBoolean = (typeOid: number, types: ReadonlyMap<number, CatalogType>): boolean =>
  printedType(typeOid, types) === OID_BOOL;

/** True if PostgreSQL prints the values of a type, or their elements, as booleans. */
export const holdsBooleans = (typeOid: number, types: ReadonlyMap<number, CatalogType>): boolean =>
  typeOid === OID_BOOLS || (types.get(typeOid)?.base ?? typeOid) === OID_BOOL;
