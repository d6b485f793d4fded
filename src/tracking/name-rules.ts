import { lookupTenant, ruleFor } from './match.js';
import { tableName } from './names.js';
import { rulesOf } from './redact.js';
import type { LabelRule, ModifiersRule, TrackingConfig } from './rules.js';

/** What gives names to keys: a table of modifiers, or a lookup table of labels. */
export type NameRule = LabelRule | ModifiersRule;

/** The tables of modifiers and every other lookup table, each pair of table and key once. */
export function nameRules(config: TrackingConfig): readonly NameRule[] {
  const labels = config.tables.flatMap(({ labels }) => [...labels.values()]);
  const { modifiers } = config;
  const others = labels.filter(
    (label, index) =>
      modifiers.every(({ table }) => table !== label.table) &&
      labels.findIndex(({ table }) => table === label.table) === index,
  );
  return [...modifiers, ...others];
}

/** What decides the names that are made of a table's rows, and whose readers see them. */
export function ruleText(config: TrackingConfig, rule: NameRule): string {
  const table = tableName(rule.table);
  const tenant = lookupTenant(config, rule);
  const { only = null, except = [] } = ruleFor(config, table) ?? {};
  // Without `except` as before there was one: a text that differs has all rows read again.
  const listed = except.length === 0 ? only : { only, except };
  return JSON.stringify([{ ...rule, tenant }, rulesOf(config, table), config.secrets, listed]);
}
