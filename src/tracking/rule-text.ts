import { lookupName, lookupTenant, lookupTenantSteps } from './lookups.js';
import { ruleFor } from './match.js';
import { tableName } from './names.js';
import { rulesOf } from './redact.js';
import type { NameRule, TrackingConfig } from './rules.js';

/** Returns a text with everything that decides the names of a table's rows and which readers see them. */
export function ruleText(config: TrackingConfig, rule: NameRule): string {
  const table = tableName(rule.table);
  const tenant = lookupTenant(config, rule);
  const { only = null, except = [] } = ruleFor(config, table) ?? {};
  // Without `except`, the text is as it was before this key existed: a text that differs has all rows read
  // again.
  const listed = except.length === 0 ? only : { only, except };
  const steps = lookupTenantSteps(config, rule).map(lookupName);
  const asked = { ...rule, tenant, ...(steps.length === 0 ? {} : { steps }) };
  return JSON.stringify([asked, rulesOf(config, table), config.secrets, listed]);
}
