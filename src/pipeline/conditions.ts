import type { Tuple } from '../pgoutput/tuple.js';
import { LENGTH_NULL, LENGTH_UNCHANGED } from '../pgoutput/tuple.js';
import { OID_BOOL, printedBoolean } from '../tracking/boolean-text.js';
import type { Scalar, Wanted } from '../tracking/rules.js';
import { compareExactly } from './exact-order.js';
import { isOneOf, memberTexts } from './members.js';

/**
 * Whether a condition holds for a row. It is unknown if the value was not sent. An unknown condition decides
 * nothing: no rule matches because of it, and no entry is left out.
 */
export type Verdict = 'holds' | 'fails' | 'unknown';

export type Condition = (row: Tuple) => Verdict;

/** float4, float8 and numeric, which print one number in several ways (`1.50`, `1.5`). */
const OIDS_INEXACT_TEXT = new Set([700, 701, 1700]);

interface ConditionColumn {
  readonly index: number;
  readonly typeOid: number;
  readonly member: readonly string[] | null;
}

/**
 * Compares a column with values as a person writes them in YAML. Booleans are written in any way that
 * PostgreSQL reads. Numbers are compared by value if the type prints one number in several ways. Everything
 * else is compared by its text. Null is compared like any other value. A member of JSON is compared by {@link
 * isOneOf}.
 */
export function valueIs(column: ConditionColumn, { values, not }: Wanted): Condition {
  const { index, member } = column;
  const [ifSo, ifNot]: [Verdict, Verdict] = not ? ['fails', 'holds'] : ['holds', 'fails'];
  if (member !== null)
    return (row) => {
      if (index >= row.count || row.lengths[index] === LENGTH_UNCHANGED) return 'unknown';
      const found = memberTexts(row, index, { path: member, ofLists: true });
      if (found === null) return 'unknown';
      return values.some((value) => isOneOf(found, value)) ? ifSo : ifNot;
    };
  const tests = values.map((value) => equals(column, value));
  return (row) => {
    if (index >= row.count || row.lengths[index] === LENGTH_UNCHANGED) return 'unknown';
    for (const test of tests) if (test(row)) return ifSo;
    return ifNot;
  };
}

/** Returns a test for a value that was sent. */
function equals({ index, typeOid }: ConditionColumn, wanted: Scalar): (row: Tuple) => boolean {
  if (wanted === null) return (row) => row.lengths[index] === LENGTH_NULL;
  if (typeof wanted === 'number' && OIDS_INEXACT_TEXT.has(typeOid)) {
    const number = String(wanted);
    return (row) => row.has(index) && compareExactly('number', row.text(index)!, number) === 0;
  }
  const text = typeOid === OID_BOOL ? printedBoolean(wanted) : String(wanted);
  // What is no boolean is never equal to one. `plan` reports it.
  if (text === null) return () => false;
  const bytes = Buffer.from(text);
  return (row) => {
    if (row.lengths[index] !== bytes.length) return false;
    const start = row.offsets[index]!;
    return row.bytes.compare(bytes, 0, bytes.length, start, start + bytes.length) === 0;
  };
}

/** Combines conditions. The result fails if one of them fails, and holds if all of them hold. */
export function allOf<T>(conditions: readonly ((of: T) => Verdict)[]): (of: T) => Verdict {
  if (conditions.length === 1) return conditions[0]!;
  return (of) => {
    let verdict: Verdict = 'holds';
    for (const condition of conditions) {
      const found = condition(of);
      if (found === 'fails') return found;
      if (found === 'unknown') verdict = found;
    }
    return verdict;
  };
}
