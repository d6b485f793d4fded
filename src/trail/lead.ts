import type { StoredFilter } from './filter.js';
import type { Snapshot } from './snapshot.js';

/** Which index finds the entries of a filter; the rest of the filter is checked on what it finds. */
export type Lead = 'entity' | 'modifiers' | 'tenants' | 'entityTypes';

/** Blocks that are looked at. */
const NEWEST_BLOCKS = 4;
/** What an entity is taken to have: no summary knows it, and few have more. */
const ENTRIES_OF_ENTITY_IN_BLOCK = 16;

/**
 * The index whose part of the filter is the rarest. Types and actions stand in the indexes of modifiers and of tenants too,
 * so only of entity, modifiers and tenant one has to be chosen; the newest summaries say how often they occur. An entity
 * with thousands of entries and a small tenant: 8,000 ms by the entity, 10 by the tenant.
 */
export async function leadOf(snapshot: Snapshot, filter: StoredFilter): Promise<Lead> {
  const { entity, modifiers, tenant } = filter;
  const leads: Lead[] = [
    ...(entity === null ? [] : (['entity'] as const)),
    ...(modifiers === null ? [] : (['modifiers'] as const)),
    ...(tenant === null ? [] : (['tenants'] as const)),
  ];
  if (leads.length < 2) return leads[0] ?? 'entityTypes';
  const { rows } = await snapshot.query<Record<'blocks' | 'modifiers' | 'tenants', number>>(
    /* sql */ `
    select count(*)::int4 as blocks,
           coalesce(sum((select sum(n) from unnest(modifiers, modifier_counts) as x (id, n) where id = any($1::int4[]))), 0)::float8
             as modifiers,
           coalesce(sum((select sum(n) from unnest(tenants, tenant_counts) as x (id, n) where id = $2::int4)), 0)::float8 as tenants
      from (select * from trail.block order by block desc limit ${NEWEST_BLOCKS}) newest`,
    [modifiers ?? [], tenant],
  );
  const found = { ...rows[0]!, entity: rows[0]!.blocks * ENTRIES_OF_ENTITY_IN_BLOCK, entityTypes: Infinity };
  return leads.reduce((best, lead) => (found[lead] < found[best] ? lead : best));
}
