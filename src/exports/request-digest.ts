import { createHash } from 'node:crypto';
import type { ExportBody } from '../api/requests.js';

/** SHA-256 over the request as parsed, the same for members in any order: what "the same request" means to an Idempotency-Key. */
export function requestDigest(request: ExportBody): Buffer {
  const members = Object.entries(request).filter(([, value]) => value !== undefined);
  members.sort(([a], [b]) => (a < b ? -1 : 1));
  return createHash('sha256').update(JSON.stringify(members)).digest();
}
