/** The kind of a type, as far as secrets matter. For a domain, it is the kind of its base type. */
export interface ValueKind {
  /** `plain`: numbers, booleans, times and similar types, which are not searched for secrets. */
  readonly of: 'text' | 'bytes' | 'json' | 'jsonb' | 'hstore' | 'plain' | 'other';
  readonly array: boolean;
}

/** A type that is not built into PostgreSQL, resolved to its innermost type. */
export interface CatalogType {
  readonly oid: number;
  /** OID of the innermost type: of a domain its base type, of an array its elements. */
  readonly base: number;
  readonly name: string;
  /** As pg_type.typcategory. */
  readonly category: string;
  readonly array: boolean;
}

/**
 * Returns the kind of a type by its OID. An unknown type counts as text: a value that is masked unnecessarily
 * can be corrected.
 */
export function valueKind(typeOid: number, types: ReadonlyMap<number, CatalogType>): ValueKind {
  const builtIn = BUILT_IN.get(typeOid);
  if (builtIn !== undefined) return builtIn;
  if (typeOid < FIRST_NORMAL_OID) return typeOid === UUID || typeOid === UUIDS ? OTHER : PLAIN;
  const type = types.get(typeOid);
  return type === undefined ? TEXT : { of: kindNamed(type), array: type.array };
}

/**
 * Returns the type as which PostgreSQL prints values: for a domain, its base type. An array, and a type that
 * is not known, is its own.
 */
export function printedType(typeOid: number, types: ReadonlyMap<number, CatalogType>): number {
  const type = types.get(typeOid);
  return type === undefined || type.array ? typeOid : type.base;
}

/** Whether values of a kind may be masked because of their column's name. */
export const holdsText = ({ of }: ValueKind): boolean => of !== 'plain' && of !== 'other';
export const holdsMembers = ({ of }: ValueKind): boolean =>
  of === 'json' || of === 'jsonb' || of === 'hstore';

/**
 * Returns the query for the types of columns that are not built into PostgreSQL, resolved. `attributes`
 * selects from pg_attribute a.
 */
export const typesSql = (attributes: string): string => /* sql */ `
  with recursive part (root, oid, is_array) as (
    select distinct a.atttypid, a.atttypid, false ${attributes} and a.atttypid >= ${FIRST_NORMAL_OID}
    union
    select part.root,
           case when t.typtype = 'd' then t.typbasetype else t.typelem end,
           part.is_array or t.typtype <> 'd'
      from part
      join pg_catalog.pg_type t on t.oid = part.oid
     where t.typtype = 'd' or (t.typcategory = 'A' and t.typelem <> 0)
  )
  select part.root::int8::float8 as oid, t.oid::int8::float8 as base, t.typname::text as name, t.typcategory::text as category, part.is_array as array
    from part
    join pg_catalog.pg_type t on t.oid = part.oid
   where t.typtype <> 'd' and not (t.typcategory = 'A' and t.typelem <> 0)`;

/** https://www.postgresql.org/docs/current/system-catalog-initial-data.html#SYSTEM-CATALOG-OID-ASSIGNMENT */
const FIRST_NORMAL_OID = 16_384;
const UUID = 2950;
const UUIDS = 2951;
const TEXT: ValueKind = { of: 'text', array: false };
const PLAIN: ValueKind = { of: 'plain', array: false };
const OTHER: ValueKind = { of: 'other', array: false };

/** OIDs of pg_type.dat. */
const BUILT_IN: ReadonlyMap<number, ValueKind> = new Map([
  // text, varchar, bpchar, name, "char", xml
  ...[25, 1043, 1042, 19, 18, 142].map((oid) => [oid, TEXT] as const),
  ...[1009, 1015, 1014, 1003, 1002, 143].map((oid) => [oid, { of: 'text', array: true }] as const),
  [17, { of: 'bytes', array: false }],
  [1001, { of: 'bytes', array: true }],
  [114, { of: 'json', array: false }],
  [199, { of: 'json', array: true }],
  [3802, { of: 'jsonb', array: false }],
  [3807, { of: 'jsonb', array: true }],
]);

function kindNamed({ name, category }: CatalogType): ValueKind['of'] {
  switch (name) {
    case 'json':
    case 'jsonb':
    case 'hstore':
      return name;
    case 'bytea':
      return 'bytes';
    case 'xml':
      return 'text';
    case 'uuid':
      return 'other';
    default:
      return category === 'S' ? 'text' : category === 'U' ? 'other' : 'plain';
  }
}
