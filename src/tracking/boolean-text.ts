import type { Scalar } from './rules.js';

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
