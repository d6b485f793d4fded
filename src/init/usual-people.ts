import type { TableFacts } from './facts.js';

/**
 * Returns the table of people whose keys the tables of a schema usually hold: the first one in this schema,
 * otherwise the first of all. Null: each tenant has a schema with such a table, so the first one has people
 * of another tenant.
 *
 * @param people tables of people, the most likely first
 */
export function usualPeople(schema: string, people: readonly TableFacts[]): string | null {
  const [first] = people;
  if (first === undefined) return null;
  const near = people.find(({ table }) => table.schema === schema);
  if (near !== undefined) return near.key;
  const isInSeveral = people.some((other) => other !== first && other.table.name === first.table.name);
  return isInSeveral ? null : first.key;
}
