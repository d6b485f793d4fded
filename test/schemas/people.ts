import type { Person } from './steps.ts';
import type { Author, Operation } from './truth.ts';
import type { Row, World } from './world.ts';

/** Returns the columns of a table that name who makes the operation. */
export const authorsOf = (world: World, table: string, operation: Operation): readonly Author[] =>
  world.truth.authors.filter((author) => author.table === table && author.on.includes(operation));

/**
 * Returns the values of these columns if this person makes the operation. Returns undefined if the columns
 * cannot name the person, who then cannot make the change.
 */
export function authorship(
  world: World,
  change: { readonly table: string; readonly operation: Operation; readonly actor: Person | null },
): Row | undefined {
  const row: Record<string, string> = {};
  for (const { column, type, of } of authorsOf(world, change.table, change.operation)) {
    const kinds = typeof of === 'string' ? { '': of } : of;
    const [found] = Object.entries(kinds).flatMap(([kind, people]) => {
      const key = change.actor === null ? undefined : keyAs(world, change.actor, people);
      return key === undefined ? [] : [{ kind, key }];
    });
    if (found === undefined) return undefined;
    row[column] = found.key;
    if (type !== undefined) row[type] = found.kind;
  }
  return row;
}

/** Returns the key of a person in a table of people; undefined if the person is not known to be in it. */
export function keyAs(world: World, actor: Person, table: string): string | undefined {
  if (actor.table === table) return actor.key;
  const column = world.truth.samePerson[table];
  const [key] = world.table(table).key;
  if (column === undefined) return undefined;
  return world.rows(table).find((row) => row[column] === actor.key)?.[key!] ?? undefined;
}
