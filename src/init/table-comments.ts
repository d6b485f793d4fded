import { formatTable } from '../tracking/names.js';
import type { TableFacts } from './facts.js';

/** What of a table a reader of the YAML should know and no key says, one line each. */
export function tableFacts(
  { table, key }: TableFacts,
  { isWitness }: { readonly isWitness: boolean },
): readonly string[] {
  const keyless = table.primaryKey.length === 0;
  const unique = table.keys[0];
  return [
    ...(isWitness
      ? ['an audit table of the application: its new rows say who made changes, and make no entries']
      : []),
    ...(table.kind === 'partitioned' ? ['partitioned: rows of all partitions are rows of this table'] : []),
    ...(table.inherits.length > 0
      ? [`inherits from ${table.inherits.map(formatTable).join(', ')}, where its rows are seen, too`]
      : []),
    ...(keyless && unique !== undefined
      ? [`no primary key: the id is that of unique index ${unique.index}`]
      : []),
    ...(keyless && unique === undefined
      ? [
          `no primary key: entries have no entity id and no history; alter table ${key} add primary key, or name unique columns under id`,
        ]
      : []),
  ];
}
