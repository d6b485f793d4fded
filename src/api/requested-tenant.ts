import { WaltrailError } from '../errors.js';

/**
 * Returns the tenant that a request is about. That is the requested tenant if `own` is null (the requester
 * sees all tenants), else `own`. Throws HTTP_FORBIDDEN if a tenant other than `own` was requested.
 */
export function tenantOf(asked: string | undefined, own: string | null): string | undefined {
  if (own === null) return asked;
  if (asked === undefined || asked === own) return own;
  throw new WaltrailError('HTTP_FORBIDDEN', 'The token does not see this tenant.', {
    remedy:
      'Leave "tenant" out, or use a token for that tenant: waltrail token create --name NAME --tenant TENANT.',
  });
}
