import { byStatement } from './entry-row.js';
import { answerable } from './extra.js';
import { arrayOf, inDays } from './ids.js';
import type { Query } from './plans.js';

/** Contexts by the id that entries refer to. */
export type Contexts = ReadonlyMap<string, string>;

/**
 * Reads each context that entries refer to, once. Contexts are found only through the references of entries.
 * A reader who may read an entry may therefore read its context, and no other.
 */
export async function readContexts(query: Query, wanted: ReadonlySet<string>): Promise<Contexts> {
  const contexts = new Map<string, string>();
  const ids = Array.from(wanted, Number).sort((one, other) => one - other);
  for (const { stretch, firstDay, days } of byStatement({ ids }, { order: 'asc', hasText: false })) {
    if (!('ids' in stretch)) continue;
    const { rows } = await query<{ id: string; context: string }>(
      /* sql */ `
      select e.id::text, e.context from unnest($1::int8[]) as i (id)
       cross join lateral (select * from trail.context e where e.id = i.id and ${inDays(firstDay, days)} limit 1) e`,
      [arrayOf(stretch.ids)],
    );
    for (const { id, context } of rows) contexts.set(id, answerable(context)!);
  }
  return contexts;
}
