import { formatTable } from '../tracking/names.js';
import type { TableFacts } from './facts.js';

/** Returns what a reader of the YAML should know about a table and no key says, one line each. */
export function tableFacts(
  { table, key }: TableFacts,
  { isWitness }: { readonly isWitness: boolean },
): readonly string[] {
  const keyless = table.primaryKey.length === 0;
  const unique = table.keys[0];
  return [
    ...(isWitness
      ? ['an audit table of the application: its new rows name who made changes, and make no entries']
      : []),
    ...(table.kind === 'partitioned'
      ? ['partitioned: rows of all partitions count as rows of this table']
      : []),
    ...(table.inherits.length > 0
      ? [`inherits from ${table.inherits.map(formatTable).join(', ')}, which also shows its rows`]
      : []),
    ...(keyless && unique !== undefined
      ? [`no primary key: the id comes from unique index ${unique.index}`]
      : []),
    ...(keyless && unique === undefined
      ? [
          `no primary key: entries have no entity id and no history. Add a primary key to ${key}, or name unique columns under id`,
        ]
      : []),
  ];
}
