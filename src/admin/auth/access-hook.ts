import type { FastifyReply } from 'fastify';
import type { Access, AccessRecord } from './access.js';
import { storable } from './asked.js';
import type { GuardedRequest } from './guard.js';

const REFUSED = new Set([401, 403, 429]);
/** More than any address has. A proxy may pass on a header of any length. */
const ADDRESS_LENGTH = 100;

/**
 * Records a request before its answer is sent. If a use of the trail cannot be recorded, it is not answered.
 * Runs as Fastify's `onSend` hook, and so for refusals, files and pages alike. It does not run for streams:
 * they take over their reply and record themselves.
 */
export async function recordAccess(
  access: AccessRecord,
  request: GuardedRequest,
  reply: FastifyReply,
): Promise<void> {
  if (REFUSED.has(reply.statusCode)) await access.record(refusalOf(request, reply.statusCode));
  else if (request.accessAction !== undefined && reply.statusCode < 400)
    await access.record(accessOf(request, reply.statusCode));
}

/** Returns what the access record says about a refusal. What was requested is cut to the limits of a row. */
function refusalOf(request: GuardedRequest, status: number): Access {
  return { ...accessOf(request, status, { isRefused: true }), action: 'refused' };
}

/** Returns what the access record says about a request that the guard has let pass. */
export function accessOf(
  request: GuardedRequest,
  status: number,
  { isRefused = false }: { readonly isRefused?: boolean } = {},
): Access {
  const filters = {
    ...asRecord(request.params),
    ...asRecord(request.query),
    ...(isSignIn(request) ? {} : asRecord(request.body)),
    ...lastEventId(request),
  };
  return {
    principal: request.principal,
    action: request.accessAction ?? 'read',
    // The pattern is absent where no route matched.
    route: `${request.method} ${request.routeOptions?.url ?? 'unknown'}`,
    filters: Object.keys(filters).length === 0 ? null : storable(filters, { isRefused }),
    status,
    // If the client has disconnected in the meantime, the socket no longer has an address.
    address: (request.ip ?? 'unknown').slice(0, ADDRESS_LENGTH),
    ...(request.delivered === undefined ? {} : { delivered: request.delivered }),
  };
}

/** Whether a request signs in. The body of a sign-in is a secret and must not be recorded. */
const isSignIn = (request: GuardedRequest): boolean =>
  request.routeOptions?.url?.endsWith('/session') ?? false;

/** Where a live stream resumes. */
function lastEventId({ routeOptions, headers }: GuardedRequest): Readonly<Record<string, unknown>> {
  const id = headers['last-event-id'];
  return id === undefined || !(routeOptions?.url?.endsWith('/stream') ?? false) ? {} : { lastEventId: id };
}

const asRecord = (value: unknown): Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null ? { ...value } : {};
