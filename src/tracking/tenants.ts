import type { KeyPath } from './document.js';
import { ruleFor } from './match.js';
import { tableName } from './names.js';
import type { ReferenceRule, TableRule, TenantOf, TrackingConfig } from './rules.js';

/*
 * Tenants by join (DECISIONS 99): a row has the tenant of the row that it refers to. Each table on the way is
 * followed by one column: of the last one that is the tenant, of those before it what leads on.
 */

/** Tables on the way to a tenant. Each row of the trail that is written looks into as many. */
export const MAX_TENANT_STEPS = 4;

/** The table and column that the `tenant` of a rule looks into; null: it is a column, or there is none. */
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

/** The way from a row of the rule to its tenant, in order; empty: `tenant` is a column, or there is none. */
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

/** Joins that lead to no tenant, each at the key that it stands under. */
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
    const remedy = `name the column of ${table} that holds it, as tenant behind key`;
    if (next === undefined) return `leads to ${table}, which is not tracked; ${remedy}`;
    if (next.tenant === null) return `leads to ${table}, whose rows have no tenant; ${remedy}`;
    if (seen.has(next)) return `leads back to ${next.pattern}, which has it by a join as well; ${remedy}`;
    seen.add(next);
    ({ tenantOf } = next);
  }
  return null;
}

const ruleOf = (config: TrackingConfig, { table }: TenantOf): TableRule | undefined =>
  ruleFor(config, tableName(table));
