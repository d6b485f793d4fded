import { createHash } from 'node:crypto';
import type { ExportBody } from '../api/requests.js';

/**
 * Computes the SHA-256 of a parsed request, independent of the order of its members. For an Idempotency-Key,
 * requests with the same digest are the same request.
 */
export function requestDigest(request: ExportBody): Buffer {
  const members = Object.entries(request).filter(([, value]) => value !== undefined);
  members.sort(([a], [b]) => (a < b ? -1 : 1));
  return createHash('sha256').update(JSON.stringify(members)).digest();
}
