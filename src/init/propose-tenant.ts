import type { TableFacts } from './facts.js';
import type { TenantColumn } from './proposal.js';
import { areComparable, singleKey, type TableIndex } from './table-index.js';
import { wordsOf } from '../tracking/entity-default.js';

/**
 * Words for whom an application keeps apart from each other, and the share of the tables that has to have the
 * column: some words mean nothing else, others do where most tables have them.
 */
const TENANTS: readonly { readonly word: string; readonly share: number }[] = [
  ...['tenant', 'organization', 'organisation', 'org', 'workspace'].map((word) => ({ word, share: 0.25 })),
  ...['account', 'company', 'shop', 'site', 'team', 'customer', 'client'].map((word) => ({
    word,
    share: 0.5,
  })),
];

/**
 * The column that holds the tenant in many tables; null: none does. A column of that name that is of another
 * type than the key of the tenants' table is no tenant.
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

/** An account with a user name is somebody, and not a place where people work. */
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

/** The tenant column of one table; null: its rows have none. */
export function tenantOf(facts: TableFacts, tenant: TenantColumn | null): string | null {
  if (tenant === null) return null;
  if (facts.key === tenant.table) return singleKey(facts)?.name ?? null;
  return tenant.without.has(facts.key) ? null : tenant.column;
}
