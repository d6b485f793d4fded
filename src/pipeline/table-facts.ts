import type { Attribute } from '../tracking/attributes.js';
import type { ColumnName, TableName } from '../tracking/names.js';
import type { CatalogType } from '../tracking/value-kind.js';

/** What a Relation message does not say, as the catalog of the source does. */
export interface TableFacts {
  /**
   * The name by which the YAML knows it, which is an earlier one where it was renamed; null: as its changes
   * say.
   */
  readonly knownAs: TableName | null;
  /** Columns of the primary key; empty where it has none. */
  readonly primaryKey: readonly string[];
  /** Low 32 bits of the transaction that made it; null: long ago, or there is none. */
  readonly keyXid: number | null;
  readonly partitioned: boolean;
  /** Every number that a column has or had; null where the table is gone. */
  readonly attributes: readonly Attribute[] | null;
  /** Columns that the YAML or the defaults know, by number, as they were called when they were looked at. */
  readonly named: ReadonlyMap<number, ColumnName>;
  /** Types that PostgreSQL does not come with. */
  readonly types: ReadonlyMap<number, CatalogType>;
}

/** Of a table that the catalog does not know. */
export const NO_FACTS: TableFacts = {
  knownAs: null,
  primaryKey: [],
  keyXid: null,
  partitioned: false,
  attributes: null,
  named: new Map(),
  types: new Map(),
};
