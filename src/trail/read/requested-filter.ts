import type { EntryFilters } from '../../api/filters.js';
import { tenantOf } from '../../api/requested-tenant.js';
import type { UnboundedFilter } from './entry.js';

/**
 * Translates the filters of a request, without their range, to a filter of the trail. If `tenant` is given,
 * the filter finds only entries of this tenant; null: the requester sees all tenants. Throws HTTP_FORBIDDEN
 * if the request names another tenant.
 */
export function filterOf(filters: EntryFilters, tenant: string | null): UnboundedFilter {
  return {
    modifiers: filters.modifier,
    actingAs: filters.actingAs,
    actions: filters.action,
    entityTypes: filters.entityType,
    rungs: filters.rung,
    entity: filters.entity,
    tenant: tenantOf(filters.tenant, tenant),
    scope: tenant ?? undefined,
    q: filters.q,
  };
}
