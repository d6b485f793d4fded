import { defaultEntity, wordsOf } from '../tracking/entity-default.js';
import { nameOf } from '../tracking/tracked.js';
import type { TableFacts } from './facts.js';

/** The form that `entityType` of schema-parts.ts accepts. */
const ENTITY = /^[a-z][a-z0-9_]{0,62}(?: [a-z0-9_]{1,62}){0,7}$/;

/**
 * Gives each table an entity type of its own: the singular of its name. If two tables share it, the whole
 * name with the schema. A table whose name cannot be written as a type keeps its default.
 */
export function proposeEntities(tables: readonly TableFacts[]): ReadonlyMap<string, string> {
  const wanted = new Map<string, number>();
  for (const { table } of tables) {
    const entity = defaultEntity(nameOf(table));
    wanted.set(entity, (wanted.get(entity) ?? 0) + 1);
  }
  const given = new Map<string, string>();
  const taken = new Set([...wanted].flatMap(([entity, count]) => (count === 1 ? [entity] : [])));
  for (const { key, table } of tables) {
    const entity = defaultEntity(nameOf(table));
    const found = wanted.get(entity) === 1 ? entity : longer(entity, { table, taken });
    if (found === null || !ENTITY.test(found)) continue;
    taken.add(found);
    given.set(key, found);
  }
  return given;
}

/** Finds a longer name that no other table has: with the plural, with the schema, with a number. */
function longer(
  entity: string,
  { table, taken }: { readonly table: TableFacts['table']; readonly taken: ReadonlySet<string> },
): string | null {
  const whole = wordsOf(table.name).join(' ');
  const schema = wordsOf(table.schema).join(' ');
  const names = [entity, ...(table.schema === 'public' ? [whole] : []), `${schema} ${whole}`];
  const numbered = Array.from({ length: 98 }, (_, index) => `${whole} ${index + 2}`);
  return [...names, ...numbered].find((name) => !taken.has(name)) ?? null;
}
