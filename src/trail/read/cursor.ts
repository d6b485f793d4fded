import { createHash } from 'node:crypto';
import { WaltrailError } from '../../errors.js';
import { MAX_ENTRY_ID } from '../entry-id.js';
import type { UnboundedFilter } from './entry.js';

/**
 * Returns the cursor of the page that continues below an entry. It is opaque to clients and valid for one
 * filter. The range is not part of that filter, because a request without `to` has a different range every
 * time.
 */
export function makeCursor(id: string, filter: UnboundedFilter): string {
  return Buffer.from(`1.${id}.${filterHash(filter)}`).toString('base64url');
}

/** Returns the id below which the page continues. Throws TRAIL_CURSOR_INVALID. */
export function readCursor(cursor: string, filter: UnboundedFilter): bigint {
  const [version, id, hash, ...rest] = Buffer.from(cursor, 'base64url').toString('latin1').split('.');
  if (
    version !== '1' ||
    id === undefined ||
    hash === undefined ||
    rest.length > 0 ||
    makeCursor(id, filter) !== cursor
  ) {
    throw new WaltrailError('TRAIL_CURSOR_INVALID', 'The cursor is damaged, or belongs to other filters.');
  }
  return readId(id);
}

/** Parses an entry id. Throws TRAIL_CURSOR_INVALID. */
export function readId(id: string): bigint {
  const number = /^\d{1,19}$/.test(id) ? BigInt(id) : -1n;
  if (number >= 0n && number <= MAX_ENTRY_ID) return number;
  throw new WaltrailError('TRAIL_CURSOR_INVALID', 'This is not the id of an entry.');
}

function filterHash(filter: UnboundedFilter): string {
  const list = (values: readonly string[] | undefined): readonly string[] => [...(values ?? [])].sort();
  const text = JSON.stringify([
    list(filter.modifiers),
    list(filter.actions),
    list(filter.entityTypes),
    filter.entity ?? null,
    filter.tenant ?? null,
    filter.q ?? '',
    // Left out if empty, so that cursors of releases without these filters stay valid.
    ...(filter.rungs === undefined || filter.rungs.length === 0 ? [] : [list(filter.rungs)]),
    ...(filter.actingAs === undefined || filter.actingAs.length === 0
      ? []
      : [{ actingAs: list(filter.actingAs) }]),
  ]);
  return createHash('sha256').update(text).digest('base64url').slice(0, 12);
}
