import type { EntryFilters } from '../../api/filters.js';
import { tenantOf } from '../../api/requested-tenant.js';
import type { UnboundedFilter } from './entry.js';

/**
 * Translates the filters of a request to the trail's, without their range. The requester's tenant is forced
 * on them, and nothing of another is shown; null: the requester sees all. Throws HTTP_FORBIDDEN when the
 * request names another tenant.
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
