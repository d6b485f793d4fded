/** The most names that a sentence lists before it states how many more there are. */
const MAX_LISTED = 10;

/** Lists names for a sentence: `a, b and c`; from more than ten the first ten and `and 127 more`. */
export function listNames(names: readonly string[]): string {
  const listed = names.slice(0, MAX_LISTED);
  const more = names.length - listed.length;
  if (more > 0) return `${listed.join(', ')} and ${more} more`;
  const last = listed.at(-1) ?? '';
  return listed.length < 2 ? last : `${listed.slice(0, -1).join(', ')} and ${last}`;
}

/**
 * Returns one warning about all tables of one kind, or none if there is no table.
 *
 * @param sentence gets the listed names, and whether it is only one table
 */
export const about = (
  tables: readonly string[],
  sentence: (names: string, isOne: boolean) => string,
): string[] => (tables.length === 0 ? [] : [sentence(listNames(tables), tables.length === 1)]);
