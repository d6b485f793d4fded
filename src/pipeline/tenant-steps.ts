import type { Lookups } from './ports.js';

/**
 * The tenant behind a key, over the rows that lead to it. Null: the row that has it is known and has none.
 * Undefined: a row on the way is not known.
 */
export function tenantBehind(
  key: string,
  { steps, lookups }: { readonly steps: readonly string[]; readonly lookups: Pick<Lookups, 'get'> },
): string | null | undefined {
  let text = key;
  for (const step of steps) {
    const found = lookups.get(step, text);
    if (found === undefined) return undefined;
    // Null in the source.
    if (found.name === '') return null;
    text = found.name;
  }
  return text;
}
