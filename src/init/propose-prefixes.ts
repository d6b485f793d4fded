import type { ColumnFacts, TableFacts } from './facts.js';
import { nounOf, type TableIndex } from './table-index.js';

/** A table whose keys follow a prefix in a text that says who did something. */
export interface Prefixed {
  /** The prefix including the separator before the key: `membership/`. */
  readonly prefix: string;
  readonly facts: TableFacts;
}

const SEPARATOR = /[/:|#.\\]+/;

/**
 * Finds the tables that the prefixes of a column name by their last word. `membership/` means `memberships`,
 * and `gid://shop/User/` means `users`. A prefix that fits no table, or several, is left out.
 */
export function prefixedTables(
  column: ColumnFacts,
  { table }: TableFacts,
  index: TableIndex,
): readonly Prefixed[] {
  return column.prefixes.flatMap((prefix) => {
    const word = prefix.split(SEPARATOR).findLast((part) => part !== '');
    const facts = word === undefined ? null : index.called(nounOf(word), table.schema);
    return facts === null ? [] : [{ prefix, facts }];
  });
}
