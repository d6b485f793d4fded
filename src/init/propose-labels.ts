import { RowTypes } from '../tracking/row-types.js';
import { nameOf } from '../tracking/tracked.js';
import type { TableFacts } from './facts.js';
import type { Lookup, TableProposal } from './proposal.js';
import { referenceOf, type ReferenceGround } from './references.js';
import { areComparable, pairsOf, singleKey } from './table-index.js';

type Label = TableProposal['labels'][number];
type TypedLabel = TableProposal['typedLabels'][number];

export interface LabelGround extends ReferenceGround {
  /** How rows are looked up, by table. Tables without a name for their rows are missing. */
  readonly lookups: ReadonlyMap<string, Lookup>;
}

/** Returns columns that hold keys of other tables, with the names of those tables' rows. */
export const labelsOf = (table: TableFacts, ground: LabelGround): readonly Label[] =>
  [...table.columns.values()].flatMap((column): Label[] => {
    const reference = referenceOf(column, table, ground);
    const lookup = reference === null ? undefined : ground.lookups.get(reference.table);
    if (reference === null || lookup?.key !== reference.column) return [];
    return [{ column: column.name, lookup, declared: reference.declared }];
  });

/** Returns polymorphic pairs, with the tables of the classes that are known to be stored in them. */
export function typedLabelsOf(table: TableFacts, ground: LabelGround): readonly TypedLabel[] {
  const types = new RowTypes([...ground.facts.values()].map((facts) => nameOf(facts.table)));
  return pairsOf(table).flatMap(({ type, id }): TypedLabel[] => {
    const of = (type.common ?? []).flatMap((value): [string, Lookup][] => {
      const target = ground.facts.get(types.tableOf(value, table.table.schema) ?? '');
      const key = target === undefined ? null : singleKey(target);
      const lookup = target === undefined ? undefined : ground.lookups.get(target.key);
      return lookup === undefined || key?.name !== lookup.key || !areComparable(key, id)
        ? []
        : [[value, lookup]];
    });
    return of.length === 0 ? [] : [{ column: id.name, type: type.name, of }];
  });
}
