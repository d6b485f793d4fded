/** An attribute number of a table: it belongs to one column, also after that column is renamed or dropped. */
export interface Attribute {
  readonly number: number;
  readonly name: string;
  readonly dropped: boolean;
  readonly generated: 'stored' | 'virtual' | null;
  /**
   * Low 32 bits of the id of the transaction that last created, renamed, changed or dropped the column; null:
   * long ago.
   */
  readonly xid: number | null;
}

/**
 * Age from which a transaction counts as long ago. Ids are compared modulo 2^32, so an older one could count
 * as later.
 */
const OLD_TRANSACTIONS = 1_000_000_000;

/** Returns the select list that reads {@link Attribute} from a row of pg_attribute. */
export const attributeColumns = (attribute: string): string => /* sql */ `
      ${attribute}.attnum as number,
      ${attribute}.attname::text as name,
      ${attribute}.attisdropped as dropped,
      case ${attribute}.attgenerated when 's' then 'stored' when 'v' then 'virtual' end as generated,
      ${xidOf(attribute)} as xid`;

/**
 * Returns SQL for the transaction that wrote a row of the catalog: the low 32 bits of its id, or null if long
 * ago.
 */
export function xidOf(row: string): string {
  return `case when pg_catalog.age(${row}.xmin) < ${OLD_TRANSACTIONS} then ${row}.xmin::text::int8::float8 end`;
}

/**
 * Whether the transaction that last changed something comes after another one, by the low 32 bits of their
 * ids.
 */
export const isAfter = ({ xid }: { readonly xid: number | null }, other: number): boolean =>
  xid !== null && ((xid - other) | 0) > 0;
