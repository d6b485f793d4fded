import pg from 'pg';

const NAMES: ReadonlyMap<number, string> = new Map(
  Object.entries(pg.types.builtins).map(([name, oid]) => [oid, name.toLowerCase()]),
);

/** PostgreSQL's own name of a built-in type (`int8`, `timestamptz`); `type 16385` for any other. */
export const typeName = (oid: number): string => NAMES.get(oid) ?? `type ${oid}`;
