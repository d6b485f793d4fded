import type { Relation } from '../pgoutput/reader.js';
import { isAfter, type Attribute } from '../tracking/attributes.js';
import type { TableFacts } from './table-facts.js';

/** Which attribute of its table a column of a relation message is. */
export interface FollowedColumn {
  /** Null where the catalog does not tell any more. */
  readonly number: number | null;
  /** Where it does not: the numbers that it may have. */
  readonly maybe: readonly number[];
}

/** As {@link followColumns}, of a table of which the catalog may not tell any more. */
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
 * Tells the columns of a relation message by their numbers, which stay the same when a column is renamed.
 * The message has names alone, in the order of the numbers; the catalog was read after it and may be ahead.
 * What neither its own transaction nor a later one has touched is as it was then. Between two such columns
 * lie those that were renamed, changed or dropped since, in the same order: where all of them are still
 * there, each is known, and where some were dropped, it is known which of them each may be (DECISIONS 62).
 *
 * @param options.attributes in order
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
    // Also what the message's own transaction has made: before the message, or behind it.
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
 * @param options.isLast nothing untouched follows, so the last ones may have been made later than the message
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
