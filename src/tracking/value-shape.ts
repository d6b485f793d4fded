import { ARRAY_OIDS } from '../pg/array-text.js';
import { valueKind, type CatalogType } from './value-kind.js';

/*
 * What values of a type are made of, as far as parts of them have words; of a domain, what it is a domain
 * over.
 */

type Types = ReadonlyMap<number, CatalogType>;

/** Whether the values have members. */
export function isJson(typeOid: number, types: Types): boolean {
  const { of, array } = valueKind(typeOid, types);
  return !array && (of === 'json' || of === 'jsonb');
}

/** Whether the values are arrays, printed with commas between their elements. */
export const isArray = (typeOid: number, types: Types): boolean =>
  ARRAY_OIDS.has(typeOid) || types.get(typeOid)?.array === true;

/**
 * How many bits a number of the type has; 0 for strings of bits, of any length. Null: the values are no
 * bits.
 */
export function bitWidth(typeOid: number, types: Types): number | null {
  const type = types.get(typeOid);
  const name = BIT_OIDS.get(typeOid) ?? (type?.array === false ? type.name : '');
  return WIDTHS.get(name) ?? null;
}

const BIT_OIDS: ReadonlyMap<number, string> = new Map([
  [21, 'int2'],
  [23, 'int4'],
  [20, 'int8'],
  [1560, 'bit'],
  [1562, 'varbit'],
]);
const WIDTHS: ReadonlyMap<string, number> = new Map([
  ['int2', 16],
  ['int4', 32],
  ['int8', 64],
  ['bit', 0],
  ['varbit', 0],
]);
