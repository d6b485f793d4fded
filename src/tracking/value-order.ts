import type { CatalogType } from './value-kind.js';

/** How the values of a type are ordered; null: they are neither numbers nor times. */
export type Order = 'number' | 'time' | null;

/** Returns the order of a type by its OID. For a domain, it is the order of its base type. */
export function orderOf(typeOid: number, types: ReadonlyMap<number, CatalogType>): Order {
  const type = types.get(typeOid);
  const name = BUILT_IN.get(typeOid) ?? (type?.array === false ? type.name : '');
  if (NUMBERS.has(name)) return 'number';
  return TIMES.has(name) ? 'time' : null;
}

/** OIDs of pg_type.dat. */
const BUILT_IN: ReadonlyMap<number, string> = new Map([
  [20, 'int8'],
  [21, 'int2'],
  [23, 'int4'],
  [26, 'oid'],
  [700, 'float4'],
  [701, 'float8'],
  [1700, 'numeric'],
  [1082, 'date'],
  [1083, 'time'],
  [1114, 'timestamp'],
  [1184, 'timestamptz'],
  [1266, 'timetz'],
]);

const NUMBERS = new Set(['int8', 'int2', 'int4', 'oid', 'float4', 'float8', 'numeric']);
const TIMES = new Set(['date', 'time', 'timestamp', 'timestamptz', 'timetz']);
