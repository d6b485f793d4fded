import { quoteIdentifier, quoteTable } from '../pg/quote.js';
import type { Catalog } from '../tracking/catalog.js';
import { indexOf } from '../tracking/catalog-index.js';
import { namesColumns } from '../tracking/lookup-tables.js';
import { lookupTenant, lookupUses } from '../tracking/lookups.js';
import type { TrackingConfig } from '../tracking/rules.js';
import { isPublishable, partitionsOf } from '../tracking/tracked.js';

/** A placeholder for the name of the role. The DBA replaces it. */
const ROLE = 'waltrail_capture';

/**
 * Returns the statements that create a role for capture. It may start replication and read the columns that
 * names come from, and nothing else.
 */
export function grantsFor(config: TrackingConfig, catalog: Catalog): readonly string[] {
  const columns = new Map<string, Set<string>>();
  for (const { rule } of lookupUses(config)) {
    const table = indexOf(catalog).tables.get(rule.table);
    if (table === undefined) continue;
    const tenant = lookupTenant(config, rule);
    const wanted = new Set([...namesColumns(rule), ...(tenant === null ? [] : [tenant])]);
    const found = columns.get(rule.table) ?? new Set<string>();
    for (const { name } of table.columns) if (wanted.has(name)) found.add(name);
    columns.set(rule.table, found);
  }
  const read = [...columns].flatMap(([key, names]) => {
    const table = indexOf(catalog).tables.get(key)!;
    // Partitions are read one by one, which needs rights on each.
    const parts = [table, ...partitionsOf(table, catalog)].filter(
      (part) => part.kind === 'table' && isPublishable(part),
    );
    return parts.map((part) => ({ part, names }));
  });
  const role = quoteIdentifier(ROLE);
  const schemas = [...new Set(read.map(({ part }) => part.schema))].sort();
  return [
    `create role ${role} login replication password 'choose-one';`,
    ...schemas.map((schema) => `grant usage on schema ${quoteIdentifier(schema)} to ${role};`),
    ...read.map(
      ({ part, names }) =>
        `grant select (${[...names].map(quoteIdentifier).join(', ')}) on ${quoteTable(part.schema, part.name)} to ${role};`,
    ),
  ];
}
