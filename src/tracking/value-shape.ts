import { ARRAY_OIDS } from '../pg/array-text.js';
import { valueKind, type CatalogType } from './value-kind.js';

/* Parts of values that can have words, by type. For a domain, its base type counts. */

type Types = ReadonlyMap<number, CatalogType>;

/** Whether values of the type have members. */
export function isJson(typeOid: number, types: Types): boolean {
  const { of, array } = valueKind(typeOid, types);
  return !array && (of === 'json' || of === 'jsonb');
}

/** Whether values of the type are arrays, which are printed with commas between elements. */
export const isArray = (typeOid: number, types: Types): boolean =>
  ARRAY_OIDS.has(typeOid) || types.get(typeOid)?.array === true;

/**
 * Returns the number of bits of a type; 0 for strings of bits, which may have any length. Null: the type has
 * no bits.
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
