import { createHash } from 'node:crypto';
import type { EntryFilters } from '../api/filters.js';
import type { ZoneClock } from './dates.js';
import type { ExportOrder } from './export.js';

/** Filters in the order of the cover, with the text before their values in a file name. */
const FILTERS = [
  ['modifier', ''],
  ['actingAs', 'as-'],
  ['action', 'action-'],
  ['entityType', 'type-'],
  ['rung', 'by-'],
  ['entity', 'id-'],
  ['tenant', 'tenant-'],
  ['q', 'text-'],
] as const;
/** Largest number of characters of the filters in the name. */
const MOST_CHARACTERS = 80;
const DIGEST_CHARACTERS = 8;
/** All characters but those that no system, archive or header treats specially. */
const UNSAFE = /[^A-Za-z0-9.]+/g;

/**
 * Returns the name of a file, as `audit-trail_2026-11-16_2026-11-23_eva_block.xlsx`: the days of the range in
 * its zone, then the values of the filters. If the name does not have the filters completely, a digest of
 * them follows, so that different filters have different names.
 */
export function fileName(order: Pick<ExportOrder, 'filters' | 'format' | 'range'>, clock: ZoneClock): string {
  const day = (instant: string): string => clock.rfc3339(instant).slice(0, 10);
  const filters = filtersName(order.filters);
  return `audit-trail_${day(order.range.from)}_${day(order.range.to)}${filters}.${order.format}`;
}

function filtersName(filters: EntryFilters): string {
  let isTold = true;
  const words = FILTERS.flatMap(([filter, before]) => {
    const values = [filters[filter] ?? []].flat();
    if (values.length === 0) return [];
    const texts = values.map((value) => value.replace(UNSAFE, '-').replace(/^-+|-+$/g, ''));
    // With several values, or a hyphen in a value, other filters could have the same name.
    if (values.length > 1 || texts[0] !== values[0] || texts[0] === '' || texts[0]!.includes('-'))
      isTold = false;
    // The word before is the modifier, so `action-` is left out.
    const isAfterModifier = filter === 'action' && filters.modifier !== undefined;
    return `${isAfterModifier ? '' : before}${texts.filter((text) => text !== '').join('-')}`;
  });
  if (words.length === 0) return '';
  const whole = words.filter((word) => word !== '').join('_');
  const name = whole.slice(0, MOST_CHARACTERS);
  if (name !== whole) isTold = false;
  return `${name === '' ? '' : `_${name}`}${isTold ? '' : `_${digestOf(filters)}`}`;
}

function digestOf(filters: EntryFilters): string {
  const canonical = JSON.stringify(FILTERS.map(([filter]) => filters[filter] ?? null));
  return createHash('sha256').update(canonical).digest('hex').slice(0, DIGEST_CHARACTERS);
}
