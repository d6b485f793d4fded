import type { Catalog, CatalogColumn, CatalogTable } from './catalog.js';
import { indexOf } from './catalog-index.js';
import { columnUses, lookupColumns, witnessColumns, type ColumnUse } from './column-uses.js';
import { formatPath, type KeyPath } from './document.js';
import { listNames } from './list-names.js';
import { effectOf, lookupUses } from './lookups.js';
import { memberPath } from './member-path.js';
import { didYouMean } from './nearest.js';
import type { Findings, PlanProblem } from './findings.js';
import type { Places } from './places.js';
import type { TrackingConfig } from './rules.js';
import { keyOf, type PublishedTable } from './tracked.js';
import type { CatalogType } from './value-kind.js';
import { isJson } from './value-shape.js';

/**
 * Reports columns that rules name and tables lack. A rule for one table needs all of its columns. A rule for
 * a pattern needs each column in at least one of its tables: not every table has an `updated_by`.
 */
export function columnFindings(options: {
  readonly config: TrackingConfig;
  readonly catalog: Catalog;
  readonly published: readonly PublishedTable[];
}): Findings {
  const { config, catalog, published } = options;
  const { places } = config;
  const { types } = catalog;
  const version = catalog.server.version;
  const problems: PlanProblem[] = [];
  const warnings: string[] = [];
  const taken = new Map<string, { readonly use: ColumnUse; readonly tables: CatalogTable[] }>();
  for (const rule of config.tables) {
    const tables = published.filter((table) => table.rule === rule).map(({ table }) => table);
    if (tables.length === 0) continue;
    for (const use of columnUses(rule)) {
      const origin = places.originOf(use.path);
      if (origin[0] !== use.path[0] || origin[1] !== use.path[1]) {
        // Many tables may have taken the key over, and some of them may lack the column.
        const at = formatPath([...origin, use.column]);
        const found = taken.get(at);
        if (found === undefined) taken.set(at, { use, tables: [...tables] });
        else found.tables.push(...tables);
        continue;
      }
      const lacking = tables.filter((table) => missing({ use, table, version, types, places }) !== null);
      if (lacking.length === tables.length)
        problems.push({
          ...missing({ use, table: tables[0]!, version, types, places })!,
          tables: lacking.map(keyOf),
        });
      else if (lacking.length > 0 && needed(use)) {
        warnings.push(
          `${places.of(use.path)}: column "${use.column}" is missing in ${listNames(lacking.map(keyOf))}.`,
        );
      }
    }
  }
  for (const { use, tables } of taken.values()) {
    const lacking = tables.map((table) => missing({ use, table, version, types, places }));
    if (!lacking.includes(null)) problems.push({ ...lacking[0]!, tables: tables.map(keyOf) });
  }
  for (const looked of lookupUses(config)) {
    const table = indexOf(catalog).tables.get(looked.rule.table);
    if (table === undefined) continue;
    problems.push(
      ...lookupColumns(looked)
        .flatMap((use) => missing({ use, table, version, types, places }) ?? [])
        .map((problem) => ({ ...problem, effect: effectOf(looked) })),
    );
  }
  for (const [index, witness] of config.attribution.entries()) {
    const table = indexOf(catalog).tables.get(witness.table);
    if (table === undefined) continue;
    problems.push(
      ...witnessColumns(witness, index)
        .flatMap((use) => missing({ use, table, version, types, places }) ?? [])
        .map((problem) => ({ ...problem, effect: 'modifiers unknown' as const })),
    );
  }
  return { problems, warnings };
}

/**
 * Whether a missing column deserves a warning. Without id or name, entries say less than the DBA asked for.
 * Other columns may be missing in some tables of a pattern.
 */
const needed = ({ path }: ColumnUse): boolean => path[2] === 'id' || path[2] === 'name';

function missing(options: {
  readonly use: ColumnUse;
  readonly table: CatalogTable;
  readonly version: number;
  readonly types: ReadonlyMap<number, CatalogType>;
  readonly places: Places;
}): PlanProblem | null {
  const { use, table, version, types } = options;
  const at = options.places.of(use.path);
  const own = table.columns.find(({ name }) => name === use.column);
  const member = own === undefined && mayBeMember(use) ? memberPath(use.column) : null;
  const column = own ?? table.columns.find(({ name }) => name === member?.column);
  const concerns = {
    code: 'TRACKING_COLUMN_UNKNOWN',
    tables: [keyOf(table)],
    effect: 'as far as possible',
    mistake: true,
  } as const;
  if (column === undefined) {
    const known = table.columns.map(({ name }) => name);
    const named = member?.column ?? use.column;
    return {
      ...concerns,
      message: `${at}: table ${keyOf(table)} has no column "${named}".${didYouMean(named, known)}`,
      remedy: `Correct the column name in the YAML. ${keyOf(table)} has: ${known.join(', ')}.`,
    };
  }
  if (member !== null && !isJson(column.typeOid, types))
    return {
      ...concerns,
      message: `${at}: "${use.column}" is a member of column "${column.name}" of ${keyOf(table)}, whose type ${column.type} has no members.`,
      remedy: 'Name a column, or a member of a json or jsonb column.',
    };
  if (isSent(column, version) || use.path[2] === 'ignore') return null;
  return {
    ...concerns,
    message: `${at}: "${column.name}" of ${keyOf(table)} is a ${column.generated ?? ''} generated column, which PostgreSQL ${Math.floor(version / 10_000)} does not replicate.`,
    remedy: 'Name the columns it is generated from instead.',
  };
}

/** Keys that accept members of JSON. Under any other key, a name with a dot is the name of a column. */
const OF_MEMBERS: ReadonlySet<KeyPath[number]> = new Set([
  'labels',
  'values',
  'where',
  'when',
  'changed',
  'increased',
  'decreased',
]);

const mayBeMember = ({ path }: ColumnUse): boolean =>
  !path.includes('types') && path.at(-1) !== 'type' && path.some((step) => OF_MEMBERS.has(step));

/**
 * Whether PostgreSQL replicates a column: stored generated ones from PostgreSQL 18 on, virtual ones never.
 */
const isSent = ({ generated }: CatalogColumn, version: number): boolean =>
  generated === null || (generated === 'stored' && version >= 180_000);
