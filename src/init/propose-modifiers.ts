import { wordsOf } from '../tracking/entity-default.js';
import { classOf } from './class-names.js';
import type { ColumnFacts, TableFacts } from './facts.js';
import { isActorPair } from './propose-people.js';
import type { As, ModifierColumn, PeopleTable } from './proposal.js';
import { areComparable, nounOf, pairsOf, singleKey, type Pair, type TableIndex } from './table-index.js';
import { usualPeople } from './usual-people.js';
import { saysWhoCreated, saysWhoUpdated } from './who-columns.js';

export interface PeopleGround {
  readonly people: readonly PeopleTable[];
  readonly facts: ReadonlyMap<string, TableFacts>;
  readonly index: TableIndex;
}

/**
 * Returns the columns of a table that name who made a change. A column that says who created the row names
 * the modifier of its insert only. Polymorphic pairs name people of the tables whose classes they hold.
 */
export function modifierColumns(table: TableFacts, ground: PeopleGround): readonly ModifierColumn[] {
  const columns = [...table.columns.values()];
  const rules = (saysWho: (column: string) => boolean, on: 'insert' | null): ModifierColumn[] =>
    columns
      .filter((column) => saysWho(column.name))
      .flatMap((column) => {
        const found = asOf(column, table, ground);
        return found === null ? [] : [{ column: column.name, on, action: null, ...found }];
      });
  return [...rules(saysWhoUpdated, null), ...rules(saysWhoCreated, 'insert'), ...actorRules(table, ground)];
}

/**
 * Returns rules for polymorphic pairs. `user_type` and `user_id` often say whom a row is about, so such a
 * pair is not used.
 */
const actorRules = (table: TableFacts, ground: PeopleGround): ModifierColumn[] =>
  pairsOf(table)
    .filter((pair) => isActorPair(pair) && pair.words.join(' ') !== 'user')
    .filter(({ id }) => !saysWhoCreated(id.name) && !saysWhoUpdated(id.name))
    .flatMap((pair) => {
      const as = asOfPair(pair, ground);
      return as === null
        ? []
        : [{ column: pair.id.name, as, on: 'insert' as const, action: null, fact: factOfPair(pair) }];
    });

/** Whose key a column holds; null if that is not known. */
export function asOf(
  column: ColumnFacts,
  table: TableFacts,
  ground: PeopleGround,
): { readonly as: As; readonly fact: string } | null {
  const { people, facts } = ground;
  const reference = table.references.get(column.name);
  if (reference !== undefined) {
    const found = people.find((one) => one.table === reference.table && one.key === reference.column);
    return found === undefined ? null : { as: found.called, fact: `refers to ${found.table}` };
  }
  const pair = pairsOf(table).find(({ id }) => id.name === column.name);
  if (pair !== undefined) {
    const as = asOfPair(pair, ground);
    return as === null ? null : { as, fact: factOfPair(pair) };
  }
  const meant = meantPeople(column, table, ground);
  const key = meant === null ? null : singleKey(facts.get(meant.table)!);
  return key === null || !areComparable(column, key)
    ? null
    : { as: meant!.called, fact: `a key of ${meant!.table} by its name only: no foreign key declares it` };
}

/**
 * Returns the people whose keys a column without a foreign key holds. The noun in its name decides if a table
 * is called so: `admin_id` is a key of `admins`, not of `users`. Null: it may be a key of other people.
 */
function meantPeople(
  column: ColumnFacts,
  { table }: TableFacts,
  { people, facts, index }: PeopleGround,
): PeopleTable | null {
  const words = wordsOf(column.name);
  const noun = words.at(-1) === 'id' ? words.at(-2) : words.at(-1);
  const called = noun === undefined ? null : index.called(nounOf(noun), table.schema);
  if (called !== null) return people.find((one) => one.table === called.key) ?? null;
  const key = usualPeople(
    table.schema,
    people.map((one) => facts.get(one.table)!),
  );
  return people.find((one) => one.table === key) ?? null;
}

const factOfPair = ({ type }: Pair): string =>
  type.common === null
    ? `values of ${type.name} assumed as frameworks name classes: the role may not read the real ones`
    : `values of ${type.name} from its statistics`;

/** Maps classes of a type column to the tables of people that they stand for. */
export function asOfPair({ type, id }: Pair, { people, facts }: PeopleGround): As | null {
  const values = people.flatMap((one): [string, string][] => {
    const table = facts.get(one.table)!;
    const key = singleKey(table);
    if (key === null || !areComparable(id, key)) return [];
    const own = classOf(table.table.name);
    if (type.common === null) return [[own, one.called]];
    return type.common
      .filter((value) => value.split(/::|\\/).at(-1) === own)
      .map((value) => [value, one.called]);
  });
  return values.length === 0 ? null : { column: type.name, values };
}
