import { quoteLiteral } from '../../pg/quote.js';
import { arrayOf } from './ids.js';

export type SqlValue = string | number | readonly number[] | readonly (string | null)[] | null;

/** Values in a statement, as SQL expressions. */
export interface SqlValues {
  /** Adds a value and returns the expression that stands for it, with its type. */
  add(value: SqlValue, type: string): string;
}

/** Parameters of a statement, numbered as they are added. */
export class Parameters implements SqlValues {
  readonly values: unknown[] = [];

  /** Adds a value and returns `$n::type`. */
  add(value: SqlValue, type: string): string {
    this.values.push(value);
    return `$${this.values.length}::${type}`;
  }
}

/**
 * Values that are written into the statement as literals. COPY needs this, because it takes no parameters.
 */
export const LITERALS: SqlValues = { add: (value, type) => `${literal(value)}::${type}` };

function literal(value: SqlValue): string {
  if (value === null) return 'null';
  if (typeof value !== 'object') return quoteLiteral(String(value));
  return isOfNumbers(value) ? quoteLiteral(arrayOf(value)) : `array[${value.map(literal).join(', ')}]`;
}

const isOfNumbers = (values: readonly unknown[]): values is readonly number[] =>
  values.every((value) => typeof value === 'number');

/** Returns the LIKE pattern that matches every value containing a text. */
export const pattern = (text: string): string => `%${text.replace(/[\\%_]/g, '\\$&')}%`;
