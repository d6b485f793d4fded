import type { Attribute } from '../tracking/attributes.js';
import type { ColumnName, TableName } from '../tracking/names.js';
import type { CatalogType } from '../tracking/value-kind.js';

/** Facts of a table that a Relation message does not have, from the source's catalog. */
export interface TableFacts {
  /**
   * The name by which the YAML knows the table. It is an earlier name if the table was renamed. Null: the
   * name in its changes.
   */
  readonly knownAs: TableName | null;
  /** Columns of the primary key. Empty: there is none. */
  readonly primaryKey: readonly string[];
  /**
   * Low 32 bits of the xid of the transaction that created the primary key. Null: that was long ago, or there
   * is no key.
   */
  readonly keyXid: number | null;
  readonly partitioned: boolean;
  /** Every column that the table has or had, with its number. Null: the table no longer exists. */
  readonly attributes: readonly Attribute[] | null;
  /** Columns that the YAML or the defaults know, by number, under their names at the last look. */
  readonly named: ReadonlyMap<number, ColumnName>;
  /** Types that are not built into PostgreSQL. */
  readonly types: ReadonlyMap<number, CatalogType>;
}

/** Facts of a table that the catalog does not know. */
export const NO_FACTS: TableFacts = {
  knownAs: null,
  primaryKey: [],
  keyXid: null,
  partitioned: false,
  attributes: null,
  named: new Map(),
  types: new Map(),
};
