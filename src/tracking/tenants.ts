import type { KeyPath } from './document.js';
import { ruleFor } from './match.js';
import { tableName } from './names.js';
import type { ReferenceRule, TableRule, TenantOf, TrackingConfig } from './rules.js';

/*
 * Tenants by join (DECISIONS 99): a row has the tenant of the row that it refers to. One column of each table
 * on the way is followed. In the last table it holds the tenant, in the others it leads to the next table.
 */

/**
 * The most tables on the way to a tenant. Each row that is written to the trail needs a lookup in each of
 * them.
 */
export const MAX_TENANT_STEPS = 4;

/**
 * Returns the table and column that a rule's `tenant` looks up. Null: `tenant` is a column, or there is none.
 */
export function tenantStep(
  config: TrackingConfig,
  { tenantOf }: Pick<TableRule, 'tenantOf'>,
): ReferenceRule | null {
  if (tenantOf === null) return null;
  const column = tenantOf.tenant ?? ruleOf(config, tenantOf)?.tenant ?? null;
  if (column === null) return null;
  const { table, key, tenant } = tenantOf;
  return { table, key, column, name: [{ column }], tenant };
}

/** Returns the steps from a row to its tenant, in order. Empty: `tenant` is a column, or there is none. */
export function tenantSteps(config: TrackingConfig, rule: TableRule): readonly ReferenceRule[] {
  const steps: ReferenceRule[] = [];
  for (let at: TableRule | undefined = rule; at !== undefined && steps.length < MAX_TENANT_STEPS;) {
    const step = tenantStep(config, at);
    if (step === null) break;
    steps.push(step);
    at = at.tenantOf!.tenant === null ? ruleOf(config, at.tenantOf!) : undefined;
  }
  return steps;
}

/** Reports joins that lead to no tenant, each at its key. */
export function tenantIssues(
  config: TrackingConfig,
): readonly { readonly path: KeyPath; readonly message: string }[] {
  return config.tables.flatMap((rule) => {
    const message = rule.tenantOf === null ? null : problemOf(config, rule);
    if (message === null) return [];
    return [{ path: config.places.originOf(['tables', rule.pattern, 'tenant']), message }];
  });
}

function problemOf(config: TrackingConfig, first: TableRule): string | null {
  const seen = new Set<TableRule>([first]);
  let { tenantOf } = first;
  for (let step = 1; tenantOf !== null; step++) {
    if (step > MAX_TENANT_STEPS) return `leads through more than ${MAX_TENANT_STEPS} tables`;
    if (tenantOf.tenant !== null) return null;
    const { table } = tenantOf;
    const next = ruleOf(config, tenantOf);
    const remedy = `set tenant after key to the column of ${table} that holds the tenant`;
    if (next === undefined) return `leads to ${table}, which is not tracked; ${remedy}`;
    if (next.tenant === null) return `leads to ${table}, whose rows have no tenant; ${remedy}`;
    if (seen.has(next))
      return `leads back to ${next.pattern}, which also takes its tenant by a join; ${remedy}`;
    seen.add(next);
    ({ tenantOf } = next);
  }
  return null;
}

const ruleOf = (config: TrackingConfig, { table }: TenantOf): TableRule | undefined =>
  ruleFor(config, tableName(table));
