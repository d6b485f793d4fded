import { modifiersOf, type StoredFilter } from './filter.js';
import { POSTING_DIMENSIONS } from '../posting-lists.js';

/**
 * The dimensions with their dictionaries, their columns in `trail.entry` and in the summaries, and their
 * letters in `trail.block_value`.
 */
export const COLUMNS = {
  modifiers: {
    table: 'modifier',
    column: 'modifier_id',
    values: 'modifiers',
    counts: 'modifier_counts',
    letter: POSTING_DIMENSIONS.modifiers,
  },
  entityTypes: {
    table: 'entity_type',
    column: 'entity_type_id',
    values: 'entity_types',
    counts: 'entity_type_counts',
    letter: POSTING_DIMENSIONS.entityTypes,
  },
  actions: {
    table: 'action',
    column: 'action_id',
    values: 'actions',
    counts: 'action_counts',
    letter: POSTING_DIMENSIONS.actions,
  },
  tenants: {
    table: 'tenant',
    column: 'tenant_id',
    values: 'tenants',
    counts: 'tenant_counts',
    letter: POSTING_DIMENSIONS.tenants,
  },
} as const;

/**
 * A property of entries by which facets count. Every entry has a dictionary id for it. An entry that moved
 * from one tenant to another has the ids of both tenants.
 */
export type Dimension = keyof typeof COLUMNS;

export const DIMENSIONS = Object.keys(COLUMNS) as Dimension[];

/** Returns the dictionary ids that a filter names in a dimension; null: any id. */
export function idsOf(filter: StoredFilter, dimension: Dimension): readonly number[] | null {
  if (dimension === 'modifiers') return modifiersOf(filter);
  return dimension !== 'tenants' ? filter[dimension] : filter.tenant === null ? null : [filter.tenant];
}
