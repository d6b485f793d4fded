import { about } from './list-names.js';
import type { PublishedTable } from './tracked.js';

/**
 * Warns about tracked tables with rows that have no tenant, while rows of other tables have one. Readers
 * limited to a tenant see none of their entries, and nobody would notice. With `tenant: false` there is no
 * warning.
 */
export function tenantWarnings(published: readonly PublishedTable[]): string[] {
  const tracked = published.flatMap(({ key, table, rule }) => {
    if (rule === null) return [];
    const { tenant, tenantless } = rule;
    const isIn = tenant !== null && table.columns.some(({ name }) => name === tenant);
    return [{ key, has: isIn ? 'a tenant' : tenantless ? 'none on purpose' : 'none' }];
  });
  if (!tracked.some(({ has }) => has === 'a tenant')) return [];
  return about(
    tracked.filter(({ has }) => has === 'none').map(({ key }) => key),
    (names, isOne) =>
      `${names} ${isOne ? 'has' : 'have'} no tenant, but other tables have one. Readers limited to a tenant see none of ${isOne ? 'its' : 'their'} entries. ` +
      'Under tenant, name its column, or the row of another table that has it: { via: team_id, table: public.teams, key: id }. With tenant: false, rows have no tenant on purpose.',
  );
}
