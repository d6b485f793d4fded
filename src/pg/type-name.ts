import pg from 'pg';

const NAMES: ReadonlyMap<number, string> = new Map(
  Object.entries(pg.types.builtins).map(([name, oid]) => [oid, name.toLowerCase()]),
);

/**
 * Returns PostgreSQL's own name of a built-in type (`int8`, `timestamptz`), or `type 16385` for any other
 * type.
 */
export const typeName = (oid: number): string => NAMES.get(oid) ?? `type ${oid}`;

/** Bytes that PostgreSQL adds to the length in a type modifier. */
const HEADER = 4;
const SCALE_BITS = 11;

/**
 * Returns the name of a type with its modifier: `varchar(20)`, `numeric(10,2)`, `timestamptz(3)`. For types
 * that are not built in, the modifier is shown as a plain number, as in `type 16385(7)`.
 */
export function modifiedTypeName(oid: number, modifier: number): string {
  const name = typeName(oid);
  if (modifier < 0) return name;
  switch (name) {
    case 'bpchar':
    case 'varchar':
      return `${name}(${modifier - HEADER})`;
    case 'numeric': {
      const precision = ((modifier - HEADER) >> 16) & 0xffff;
      // The scale is a signed number of 11 bits.
      const scale = ((modifier - HEADER) << (32 - SCALE_BITS)) >> (32 - SCALE_BITS);
      return `${name}(${precision},${scale})`;
    }
    default:
      return `${name}(${modifier})`;
  }
}
