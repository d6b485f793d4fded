import type { ColumnFacts, TableFacts } from './facts.js';
import { nounOf, type TableIndex } from './table-index.js';

/** A table whose keys stand behind a prefix in a text that says who did something. */
export interface Prefixed {
  /** As it stands there, with what separates it from the key: `membership/`. */
  readonly prefix: string;
  readonly facts: TableFacts;
}

const SEPARATOR = /[/:|#.\\]+/;

/**
 * The tables that the prefixes of a column name by their last word: `membership/` is of `memberships`,
 * `gid://shop/User/` of `users`. A prefix that names no table, or several, is left out.
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
