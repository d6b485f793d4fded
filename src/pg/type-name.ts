import pg from 'pg';

const NAMES: ReadonlyMap<number, string> = new Map(
  Object.entries(pg.types.builtins).map(([name, oid]) => [oid, name.toLowerCase()]),
);

/** PostgreSQL's own name of a built-in type (`int8`, `timestamptz`); `type 16385` for any other. */
export const typeName = (oid: number): string => NAMES.get(oid) ?? `type ${oid}`;

/** Bytes that PostgreSQL adds to the length in a type modifier. */
const HEADER = 4;
const SCALE_BITS = 11;

/**
 * The same with what the type modifier says, where PostgreSQL's own types have one: `varchar(20)`,
 * `numeric(10,2)`, `timestamptz(3)`. Of another type with a modifier, `type 16385(7)` stands for whatever its
 * type makes of the number.
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
