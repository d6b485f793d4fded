import type { TableFacts } from './facts.js';
import type { Lookup, TableProposal } from './proposal.js';
import { referenceOf, type ReferenceGround } from './references.js';

type Label = TableProposal['labels'][number];

export interface LabelGround extends ReferenceGround {
  /** How rows are looked up, by table; without those that have no name. */
  readonly lookups: ReadonlyMap<string, Lookup>;
}

/** Columns that hold keys of other tables, with the words of these. */
export const labelsOf = (table: TableFacts, ground: LabelGround): readonly Label[] =>
  [...table.columns.values()].flatMap((column): Label[] => {
    const reference = referenceOf(column, table, ground);
    const lookup = reference === null ? undefined : ground.lookups.get(reference.table);
    if (reference === null || lookup?.key !== reference.column) return [];
    return [{ column: column.name, lookup, declared: reference.declared }];
  });
