import { createHash } from 'node:crypto';
import type { ExportBody } from '../api/requests.js';

/**
 * Computes the SHA-256 of a parsed request, the same for any order of its members. An Idempotency-Key takes
 * requests of one digest for one request.
 */
export function requestDigest(request: ExportBody): Buffer {
  const members = Object.entries(request).filter(([, value]) => value !== undefined);
  members.sort(([a], [b]) => (a < b ? -1 : 1));
  return createHash('sha256').update(JSON.stringify(members)).digest();
}
