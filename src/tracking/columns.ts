import type { Catalog, CatalogColumn, CatalogTable } from './catalog.js';
import { indexOf } from './catalog-index.js';
import { listNames } from './list-names.js';
import { lookupUses } from './match.js';
import { didYouMean } from './nearest.js';
import type { Findings, PlanProblem } from './findings.js';
import type { LabelRule, TableRule, TrackingConfig } from './rules.js';
import { templateColumns } from './template.js';
import { keyOf, type PublishedTable } from './tracked.js';

/** A column that the YAML names, and the key it stands under. */
interface ColumnUse {
  readonly key: string;
  readonly column: string;
}

/**
 * Columns that rules name and tables do not have. A rule for one table needs all of them; a rule for a
 * pattern needs each in one of its tables at least, for not every table has an `updated_by`.
 */
export function columnFindings(options: {
  readonly config: TrackingConfig;
  readonly catalog: Catalog;
  readonly published: readonly PublishedTable[];
}): Findings {
  const { config, catalog, published } = options;
  const version = catalog.server.version;
  const problems: PlanProblem[] = [];
  const warnings: string[] = [];
  for (const rule of config.tables) {
    const tables = published.filter((table) => table.rule === rule).map(({ table }) => table);
    if (tables.length === 0) continue;
    for (const use of columnUses(rule)) {
      const lacking = tables.filter((table) => missing({ use, table, version }) !== null);
      if (lacking.length === tables.length)
        problems.push({ ...missing({ use, table: tables[0]!, version })!, tables: lacking.map(keyOf) });
      else if (lacking.length > 0 && needed(use)) {
        warnings.push(`${use.key}: column "${use.column}" is missing in ${listNames(lacking.map(keyOf))}.`);
      }
    }
  }
  for (const { key, rule } of lookupUses(config)) {
    const table = indexOf(catalog).tables.get(rule.table);
    if (table === undefined) continue;
    problems.push(
      ...lookupColumns(key, rule)
        .flatMap((use) => missing({ use, table, version }) ?? [])
        .map((problem) => ({ ...problem, effect: 'names unknown' as const })),
    );
  }
  return { problems, warnings };
}

/**
 * Without id or name the entries of a table say less than the DBA asked for; other columns a table may well
 * lack.
 */
const needed = ({ key }: ColumnUse): boolean => /\.(?:id|name)$/.test(key);

function columnUses(rule: TableRule): ColumnUse[] {
  const key = `tables."${rule.pattern}"`;
  const uses = (name: string, columns: Iterable<string>): ColumnUse[] =>
    [...columns].map((column) => ({ key: `${key}.${name}`, column }));
  return [
    ...uses('id', rule.id ?? []),
    ...uses('name', templateColumns(rule.name ?? [])),
    ...uses('modifier', rule.modifier === null ? [] : [rule.modifier.column]),
    ...uses('tenant', rule.tenant === null ? [] : [rule.tenant]),
    ...uses('ignore', rule.ignore),
    ...uses('labels', rule.labels.keys()),
    ...uses('values', rule.values.keys()),
    ...rule.actions.flatMap(({ changed, when }, index) => [
      ...uses(`actions[${index}].changed`, changed ?? []),
      ...uses(`actions[${index}].when`, when.keys()),
    ]),
  ];
}

function lookupColumns(
  key: string,
  rule: LabelRule & { readonly kind?: { readonly column: string } | null },
): ColumnUse[] {
  return [
    { key: `${key}.key`, column: rule.key },
    ...templateColumns(rule.name).map((column) => ({ key: `${key}.name`, column })),
    ...(rule.tenant === null ? [] : [{ key: `${key}.tenant`, column: rule.tenant }]),
    ...(rule.kind == null ? [] : [{ key: `${key}.kind.column`, column: rule.kind.column }]),
  ];
}

function missing(options: { use: ColumnUse; table: CatalogTable; version: number }): PlanProblem | null {
  const { use, table, version } = options;
  const column = table.columns.find(({ name }) => name === use.column);
  const concerns = {
    code: 'TRACKING_COLUMN_UNKNOWN',
    tables: [keyOf(table)],
    effect: 'as far as possible',
    mistake: true,
  } as const;
  if (column === undefined) {
    const known = table.columns.map(({ name }) => name);
    return {
      ...concerns,
      message: `${use.key}: table ${keyOf(table)} has no column "${use.column}".${didYouMean(use.column, known)}`,
      remedy: `Correct the column name in the YAML. ${keyOf(table)} has: ${known.join(', ')}.`,
    };
  }
  if (isSent(column, version) || use.key.endsWith('.ignore')) return null;
  return {
    ...concerns,
    message: `${use.key}: "${use.column}" of ${keyOf(table)} is a ${column.generated ?? ''} generated column, which PostgreSQL ${Math.floor(version / 10_000)} does not replicate.`,
    remedy: 'Name the columns it is generated from instead.',
  };
}

/** Stored generated columns are replicated from PostgreSQL 18 on, virtual ones never. */
const isSent = ({ generated }: CatalogColumn, version: number): boolean =>
  generated === null || (generated === 'stored' && version >= 180_000);
