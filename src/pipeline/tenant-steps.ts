import type { Lookups } from './ports.js';

/**
 * Returns the tenant to which a key leads over other rows. Null: a row on the way is known and has none.
 * Undefined: a row on the way is unknown.
 */
export function tenantBehind(
  key: string,
  { steps, lookups }: { readonly steps: readonly string[]; readonly lookups: Pick<Lookups, 'get'> },
): string | null | undefined {
  let text = key;
  for (const step of steps) {
    const found = lookups.get(step, text);
    if (found === undefined) return undefined;
    // The column is null in the source.
    if (found.name === '') return null;
    text = found.name;
  }
  return text;
}
