import type { TableFacts } from './facts.js';
import type { ProposedTenant, TenantColumn } from './proposal.js';
import { isDoer, referenceOf, type ReferenceGround } from './references.js';
import { areComparable, nounOf, singleKey, type TableIndex } from './table-index.js';
import { wordsOf } from '../tracking/entity-default.js';
import { singular } from '../tracking/singular.js';
import { MAX_TENANT_STEPS } from '../tracking/tenants.js';

/**
 * Words for tenants, and the share of the tables that must have the column. Some words always mean a tenant.
 * Others do only if most tables have them.
 */
const TENANTS: readonly { readonly word: string; readonly share: number }[] = [
  ...['tenant', 'organization', 'organisation', 'org', 'workspace'].map((word) => ({ word, share: 0.25 })),
  ...['account', 'company', 'shop', 'site', 'team', 'customer', 'client'].map((word) => ({
    word,
    share: 0.5,
  })),
];

/**
 * Finds the column that holds the tenant in many tables; null if there is none. A column with that name is
 * ignored if its type differs from the key of the tenants' table.
 */
export function proposeTenant(tables: readonly TableFacts[], index: TableIndex): TenantColumn | null {
  const found = TENANTS.flatMap(({ word, share }) => {
    const holders = tables.flatMap((facts) => tenantColumn(facts, word) ?? []);
    const spelling = mostCommon(holders);
    if (spelling === null) return [];
    const count = holders.filter((name) => name === spelling).length;
    return count / tables.length >= share ? [{ word, column: spelling, count }] : [];
  });
  const [best] = found.sort((one, other) => other.count - one.count);
  if (best === undefined) return null;
  const own = tables
    .map(({ table }) => index.called([best.word], table.schema))
    .find((table) => table !== null && singleKey(table) !== null);
  if (own != null && isPerson(own)) return null;
  const key = own == null ? null : singleKey(own);
  const has = (facts: TableFacts): boolean => {
    const column = facts.columns.get(best.column);
    return column !== undefined && (key === null || areComparable(column, key));
  };
  return {
    column: best.column,
    table: own?.key ?? null,
    without: new Set(tables.filter((facts) => facts !== own && !has(facts)).map(({ key: table }) => table)),
  };
}

/** Whether a table holds people. An account with a user name is a person, not a tenant. */
const isPerson = ({ columns }: TableFacts): boolean =>
  [...columns.keys()].some((name) =>
    /^(?:user_name|first_name|password)$|^username$/.test(wordsOf(name).join('_')),
  );

/** `account_id` or `accountId`, as this table spells it. */
const tenantColumn = ({ columns }: TableFacts, word: string): string | null =>
  [...columns.keys()].find((name) => wordsOf(name).join(' ') === `${word} id`) ?? null;

function mostCommon(names: readonly string[]): string | null {
  const counts = new Map<string, number>();
  for (const name of names) counts.set(name, (counts.get(name) ?? 0) + 1);
  return [...counts].sort(([, one], [, other]) => other - one)[0]?.[0] ?? null;
}

/**
 * Finds which tenant the rows of each table belong to: by the tenant's column, or by the row that they refer
 * to, over as few tables as possible. If neither is there, the rows of the table have no tenant.
 */
export function tenantsOf(
  tables: readonly TableFacts[],
  tenant: TenantColumn | null,
  ground: ReferenceGround,
): ReadonlyMap<string, ProposedTenant> {
  const found = new Map<string, ProposedTenant>();
  if (tenant === null) return found;
  for (const facts of tables) {
    const column = facts.key === tenant.table ? singleKey(facts)?.name : tenant.column;
    if (column !== undefined && !tenant.without.has(facts.key)) found.set(facts.key, { column, of: null });
  }
  for (let steps = 1; steps <= MAX_TENANT_STEPS; steps++) {
    const joined = tables.flatMap((facts): [string, ProposedTenant][] => {
      const join = found.has(facts.key) ? null : joinOf(facts, { found, ground });
      return join === null ? [] : [[facts.key, join]];
    });
    for (const [table, join] of joined) found.set(table, join);
  }
  return found;
}

/**
 * Returns the column of a table that refers to a row with a tenant. If there are several, one that cannot be
 * null comes first, then one whose table the table is named after (`team_members`), then the first. A person
 * is the last choice. A column that says who did something is never used. People work for several tenants
 * more often than things do.
 */
function joinOf(
  facts: TableFacts,
  options: { readonly found: ReadonlyMap<string, ProposedTenant>; readonly ground: ReferenceGround },
): ProposedTenant | null {
  const { found, ground } = options;
  const candidates = [...facts.columns.values()].flatMap((column) => {
    const reference = isDoer(column) ? null : referenceOf(column, facts, ground);
    if (reference === null || reference.table === facts.key || !found.has(reference.table)) return [];
    const target = ground.facts.get(reference.table);
    if (target === undefined) return [];
    const { table, column: key, declared } = reference;
    const rank =
      (table === ground.people[0] ? 8 : 0) +
      (column.notNull ? 0 : 4) +
      (isCalledAfter(facts, target) ? 0 : 2) +
      (declared ? 0 : 1);
    return [{ rank, join: { column: column.name, of: { table, key, declared } } }];
  });
  return candidates.sort((one, other) => one.rank - other.rank)[0]?.join ?? null;
}

/** Whether the name of a table begins with the noun for a row of the other table. */
function isCalledAfter(facts: TableFacts, target: TableFacts): boolean {
  const own = nounOf(facts.table.name);
  return nounOf(target.table.name).every((word, index) => singular(own[index] ?? '') === word);
}
