import { quoteIdentifier, quoteTable } from '../pg/quote.js';
import type { Catalog, CatalogTable } from './catalog.js';
import { indexOf } from './catalog-index.js';
import { listNames } from './list-names.js';
import { lookupName, lookupTenant, lookupUses } from './lookups.js';
import type { NameRule, TrackingConfig } from './rules.js';
import { templateColumns } from './template.js';
import { isPublishable, keyOf, partitionsOf } from './tracked.js';

/**
 * Returns all lookups by `lookupName`, each with whether its rows belong to tenants. They do if the table has
 * the tenant column. If the catalog lacks the table, they do if the YAML names such a column.
 */
export function lookupTables(config: TrackingConfig, catalog: Catalog): ReadonlyMap<string, boolean> {
  return new Map(
    lookupUses(config).map(({ rule }) => {
      const tenant = lookupTenant(config, rule);
      const table = indexOf(catalog).tables.get(rule.table);
      return [
        lookupName(rule),
        tenant !== null && (table === undefined || table.columns.some(({ name }) => name === tenant)),
      ];
    }),
  );
}

/** The columns that a lookup reads from its table, without repetitions. */
export const namesColumns = (rule: NameRule): readonly string[] => [
  ...new Set([
    rule.key,
    ...templateColumns(rule.name),
    ...(rule.tenant === null ? [] : [rule.tenant]),
    ...('kind' in rule && rule.kind !== null ? [rule.kind.column] : []),
  ]),
];

/**
 * Warns about lookup tables that capture cannot read when a trail begins, and states what would allow it.
 * These are no problems: capture runs without such names and learns them from the stream. Missing grants must
 * not stop it.
 */
export function lookupWarnings({ config, catalog }: { config: TrackingConfig; catalog: Catalog }): string[] {
  return lookupUses(config).flatMap(({ path, rule, gives }) => {
    const table = catalog.tables.find((candidate) => keyOf(candidate) === rule.table);
    if (table === undefined || !isPublishable(table)) return [];
    const tenant = lookupTenant(config, rule);
    const columns = [
      ...new Set([
        ...namesColumns(rule),
        ...table.columns.flatMap(({ name }) => (name === tenant ? [name] : [])),
      ]),
    ];
    // Partitions are read one by one, so the rights on each one matter.
    const read = [table, ...partitionsOf(table, catalog)].filter(({ kind }) => kind === 'table');
    const hindered = read.flatMap((part) => {
      const hindrance = hindranceOf(part, { columns, catalog });
      return hindrance === null ? [] : [{ name: keyOf(part), hindrance }];
    });
    const [first, ...others] = hindered;
    if (first === undefined) return [];
    const rest =
      others.length === 0 ? '' : ` The same applies to ${listNames(others.map(({ name }) => name))}.`;
    const at = config.places.of([...path, 'table']);
    return [`${at}: ${gives} from before the start will be unknown: ${first.hindrance}${rest}`];
  });
}

/**
 * Returns why capture cannot read these columns of a table, and what would allow it, as sentences. Null: it
 * can.
 */
export function hindranceOf(
  table: CatalogTable,
  { columns, catalog }: { readonly columns: readonly string[]; readonly catalog: Catalog },
): string | null {
  const name = keyOf(table);
  const role = catalog.role.name;
  const used = table.columns.filter((column) => columns.includes(column.name));
  if (table.filtered)
    return `row security limits what role ${role} reads of ${name}, and Waltrail does not execute policies with its own rights. Run as a superuser: alter role ${quoteIdentifier(role)} bypassrls;`;
  if (!table.readable && used.some((column) => !column.readable))
    return `role ${role} may not read ${name}. ${grantSelect(role, { table, columns })}`;
  const generated = used.filter((column) => column.generated !== null);
  if (generated.length > 0)
    return `${generated.map((column) => column.name).join(', ')} of ${name} is generated, and PostgreSQL does not copy generated columns. Name the columns that it is generated from instead.`;
  return null;
}

function grantSelect(
  role: string,
  { table, columns }: { readonly table: CatalogTable; readonly columns: readonly string[] },
): string {
  const to = quoteIdentifier(role);
  return (
    `Run: grant usage on schema ${quoteIdentifier(table.schema)} to ${to}; ` +
    `grant select (${columns.map(quoteIdentifier).join(', ')}) on ${quoteTable(table.schema, table.name)} to ${to};`
  );
}
