import type { Relation } from '../pgoutput/reader.js';
import { isAfter, type Attribute } from '../tracking/attributes.js';
import type { TableFacts } from './table-facts.js';

/** The attribute number of a column in a Relation message, as far as it is known. */
export interface FollowedColumn {
  /** Null: the catalog no longer shows it. */
  readonly number: number | null;
  /** The possible numbers, if `number` is null. */
  readonly maybe: readonly number[];
}

/** Does what {@link followColumns} does, also for a table that the catalog no longer knows. */
export const followRelation = (options: {
  readonly relation: Relation;
  readonly facts: Pick<TableFacts, 'attributes'>;
  readonly xid: number;
}): readonly FollowedColumn[] => {
  const { relation, facts, xid } = options;
  const names = relation.columns.map(({ name }) => name);
  return facts.attributes === null
    ? names.map(() => ({ number: null, maybe: [] }))
    : followColumns({ names, attributes: facts.attributes, xid });
};

/**
 * Finds the attribute numbers of the columns in a Relation message. A number stays the same when its column
 * is renamed. The message has names only, in the order of the numbers. The catalog was read after the message
 * and may be ahead of it.
 *
 * An attribute that neither the message's transaction nor a later one has touched is as it was at the
 * message. Between two of these lie columns that were renamed, changed or dropped since, in the same order.
 * If all of them still exist, each is identified. If some were dropped, each has a list of possible numbers
 * (DECISIONS 62).
 *
 * @param options.attributes in the order of their numbers
 * @param options.xid of the transaction that the message belongs to: low 32 bits
 */
export function followColumns(options: {
  readonly names: readonly string[];
  readonly attributes: readonly Attribute[];
  readonly xid: number;
}): readonly FollowedColumn[] {
  const { names, attributes, xid } = options;
  const places = new Map(names.map((name, place) => [name, place]));
  const columns: FollowedColumn[] = names.map(() => ({ number: null, maybe: [] }));
  let touched: Attribute[] = [];
  let from = 0;
  const fill = (to: number, isLast: boolean): void => {
    between(touched, { places: to - from, isLast }).forEach((column, index) => {
      columns[from + index] = column;
    });
    touched = [];
  };
  for (const attribute of attributes) {
    // The message's own transaction may have changed the attribute before or after the message.
    if (isAfter(attribute, xid) || attribute.xid === xid) {
      touched.push(attribute);
      continue;
    }
    const place = attribute.dropped ? undefined : places.get(attribute.name);
    if (place === undefined || place < from) continue;
    fill(place, false);
    columns[place] = { number: attribute.number, maybe: [] };
    from = place + 1;
  }
  fill(names.length, true);
  return columns;
}

/**
 * Identifies the columns between two untouched attributes.
 *
 * @param options.isLast no untouched attribute follows, so the last ones may be newer than the message
 */
function between(
  touched: readonly Attribute[],
  { places, isLast }: { readonly places: number; readonly isLast: boolean },
): FollowedColumn[] {
  // A generated column may be published or not; a dropped one may have been dropped before the message.
  const isSure = ({ dropped, generated }: Attribute): boolean => !dropped && generated === null;
  const sure = touched.filter(isSure);
  if (places === sure.length && (!isLast || sure.length === touched.length))
    return sure.map(({ number }) => ({ number, maybe: [] }));
  if (isLast && sure.length === touched.length && places < sure.length)
    return sure.slice(0, places).map(({ number }) => ({ number, maybe: [] }));
  const sureBefore = (end: number): number => touched.slice(0, end).filter(isSure).length;
  return Array.from({ length: places }, (_, place) => {
    const maybe = touched.filter((_, index) => sureBefore(index) <= place && place <= index);
    return { number: null, maybe: (maybe.length > 0 ? maybe : touched).map(({ number }) => number) };
  });
}
