/** A number that a column of a table has, or had: it stays the same whatever the column is called. */
export interface Attribute {
  readonly number: number;
  readonly name: string;
  readonly dropped: boolean;
  readonly generated: 'stored' | 'virtual' | null;
  /**
   * Low 32 bits of the transaction that made it so (renamed, changed or dropped it last); null: long ago.
   */
  readonly xid: number | null;
}

/** Transaction ids are compared modulo 2^32, so an old one would count as a later one some day. */
const OLD_TRANSACTIONS = 1_000_000_000;

/** What {@link Attribute} has of a row of pg_attribute, as columns of a select. */
export const attributeColumns = (attribute: string): string => /* sql */ `
      ${attribute}.attnum as number,
      ${attribute}.attname::text as name,
      ${attribute}.attisdropped as dropped,
      case ${attribute}.attgenerated when 's' then 'stored' when 'v' then 'virtual' end as generated,
      ${xidOf(attribute)} as xid`;

/** The transaction that made a row of the catalog: its low 32 bits, or null where that is long ago. */
export function xidOf(row: string): string {
  return `case when pg_catalog.age(${row}.xmin) < ${OLD_TRANSACTIONS} then ${row}.xmin::text::int8::float8 end`;
}

/** Whether the transaction that made something as it is comes after another one, by its low 32 bits. */
export const isAfter = ({ xid }: { readonly xid: number | null }, other: number): boolean =>
  xid !== null && ((xid - other) | 0) > 0;
