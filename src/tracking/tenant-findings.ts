import { about } from './list-names.js';
import type { PublishedTable } from './tracked.js';

/**
 * Tracked tables whose rows have no tenant while those of others have one, unless the YAML says so: readers
 * who are confined to a tenant see nothing of them, and nobody would notice.
 */
export function tenantWarnings(published: readonly PublishedTable[]): string[] {
  const tracked = published.flatMap(({ key, table, rule }) => {
    if (rule === null) return [];
    const { tenant, tenantless } = rule;
    const isIn = tenant !== null && table.columns.some(({ name }) => name === tenant);
    return [{ key, has: isIn ? 'a tenant' : tenantless ? 'none, and is meant so' : 'none' }];
  });
  if (!tracked.some(({ has }) => has === 'a tenant')) return [];
  return about(
    tracked.filter(({ has }) => has === 'none').map(({ key }) => key),
    (names, isOne) =>
      `${names} ${isOne ? 'has' : 'have'} no tenant while other tables have one: readers confined to a tenant see none of ${isOne ? 'its' : 'their'} entries. ` +
      'Name its column under tenant, or the row whose tenant it is, as { via: team_id, table: public.teams, key: id }. tenant: false says that rows have none.',
  );
}
