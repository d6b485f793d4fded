import type { Tuple } from '../pgoutput/tuple.js';
import { LENGTH_NULL } from '../pgoutput/tuple.js';
import type { Scalar } from '../tracking/rules.js';

/** Whether the value of one column of a row is what a rule asks for. */
export type Condition = (row: Tuple) => boolean;

export const OID_BOOL = 16;
/** float4, float8, numeric: printed in more than one way for the same number (`1.50`, `1.5`). */
const OIDS_INEXACT_TEXT = new Set([700, 701, 1700]);

/**
 * Compares a column with a value as a person writes it in YAML: booleans as PostgreSQL prints them (`t`,
 * `f`), numbers by value where the type prints one number in several ways, everything else by its text. A
 * value that was not sent never matches.
 */
export function equals(
  column: { readonly index: number; readonly typeOid: number },
  wanted: Scalar,
): Condition {
  const { index, typeOid } = column;
  if (wanted === null) return (row) => index < row.count && row.lengths[index] === LENGTH_NULL;
  if (typeof wanted === 'number' && OIDS_INEXACT_TEXT.has(typeOid)) {
    return (row) => row.has(index) && Number(row.text(index)) === wanted;
  }
  const text = typeOid === OID_BOOL ? (isTrue(wanted) ? 't' : 'f') : String(wanted);
  const bytes = Buffer.from(text);
  return (row) => {
    if (row.lengths[index] !== bytes.length || index >= row.count) return false;
    const start = row.offsets[index]!;
    return row.bytes.compare(bytes, 0, bytes.length, start, start + bytes.length) === 0;
  };
}

/** Any of several values. */
export function equalsAny(
  column: { readonly index: number; readonly typeOid: number },
  wanted: readonly Scalar[],
): Condition {
  const conditions = wanted.map((value) => equals(column, value));
  return (row) => conditions.some((condition) => condition(row));
}

const isTrue = (value: Scalar): boolean => value === true || value === 'true' || value === 't' || value === 1;
