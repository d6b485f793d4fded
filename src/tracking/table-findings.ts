import { ERROR_CODES } from '../errors.js';
import { baselineWarnings } from './baseline.js';
import type { Catalog } from './catalog.js';
import { indexOf } from './catalog-index.js';
import type { KeyPath } from './document.js';
import type { Findings, PlanProblem, TroubleEffect } from './findings.js';
import { about } from './list-names.js';
import { lookupWarnings } from './lookup-tables.js';
import { effectOf, lookupUses } from './lookups.js';
import { isPattern, matchesTable, tableName } from './names.js';
import { didYouMean } from './nearest.js';
import { tenantWarnings } from './tenant-findings.js';
import type { TrackingConfig } from './rules.js';
import { isPublishable, keyOf, matchingTables, nameOf, type PublishedTable } from './tracked.js';

type Given = {
  readonly config: TrackingConfig;
  readonly catalog: Catalog;
  readonly published: readonly PublishedTable[];
};

/** Reports tables that the YAML names and the source lacks, and warns about tables that are published. */
export function tableFindings({ config, catalog, published }: Given): Findings {
  const problems: PlanProblem[] = [];
  for (const { pattern } of config.tables) {
    const key = config.places.of(['tables', pattern]);
    if (!isPattern(pattern))
      problems.push(...exactProblems({ key, table: pattern, catalog, effect: 'not captured' }));
    else if (matchingTables(pattern, config, catalog).length === 0) {
      problems.push({
        code: 'TRACKING_PATTERN_UNMATCHED',
        message: `${key} matches no table of database ${catalog.server.database} that may be tracked.`,
        remedy: ERROR_CODES.TRACKING_PATTERN_UNMATCHED.remedy,
        tables: [pattern],
        effect: 'not captured',
        mistake: true,
      });
    }
  }
  for (const use of lookupUses(config)) {
    const { table } = use.rule;
    const key = config.places.of([...use.path, 'table']);
    problems.push(...exactProblems({ key, table, catalog, effect: effectOf(use) }));
  }
  for (const { path, table } of witnessUses(config)) {
    const key = config.places.of(path);
    problems.push(...exactProblems({ key, table, catalog, effect: 'modifiers unknown' }));
  }
  return {
    problems,
    warnings: [
      ...tableWarnings({ config, catalog, published }),
      ...tenantWarnings(published),
      ...lookupWarnings({ config, catalog }),
      ...baselineWarnings({ config, catalog, published }),
    ],
  };
}

/** Tables that `attribution` names: audit tables, and tables of the rows that they speak for. */
const witnessUses = ({ attribution }: TrackingConfig): { readonly path: KeyPath; readonly table: string }[] =>
  attribution.flatMap(({ table, row }, index) => {
    const path = ['attribution', index];
    const of = row?.of;
    const types = of !== undefined && 'type' in of ? [...(of.types ?? [])] : [];
    return [
      { path: [...path, 'table'], table },
      ...(of !== undefined && 'table' in of ? [{ path: [...path, 'row', 'table'], table: of.table }] : []),
      ...types.map(([type, table]) => ({ path: [...path, 'row', 'types', type], table })),
    ];
  });

function exactProblems(options: {
  key: string;
  table: string;
  catalog: Catalog;
  effect: TroubleEffect;
}): PlanProblem[] {
  const { key, table, catalog, effect } = options;
  const found = indexOf(catalog).tables.get(table);
  if (found !== undefined && isPublishable(found)) return [];
  const concerns = { code: 'TRACKING_TABLE_UNKNOWN', tables: [table], effect, mistake: true } as const;
  if (found === undefined) {
    const { schema } = tableName(table);
    const candidates = catalog.tables.filter(isPublishable).map(keyOf);
    const elsewhere = catalog.tables.find(
      ({ name, schema: other }) => name === tableName(table).table && other !== schema,
    );
    const hint =
      elsewhere === undefined ? didYouMean(table, candidates) : ` Did you mean "${keyOf(elsewhere)}"?`;
    return [
      {
        ...concerns,
        message: `${key}: database ${catalog.server.database} has no table ${table}.${hint}`,
        remedy: ERROR_CODES.TRACKING_TABLE_UNKNOWN.remedy,
      },
    ];
  }
  const what =
    found.persistence === 'unlogged'
      ? 'an unlogged table'
      : `a ${found.persistence === 'temporary' ? 'temporary table' : found.kind}`;
  return [
    {
      ...concerns,
      message: `${key}: ${table} is ${what}, whose changes are not in the WAL.`,
      remedy: 'In the YAML, name the permanent tables that it takes its rows from, or remove the key.',
    },
  ];
}

/** Returns one warning for each kind, with all tables concerned. */
function tableWarnings({ config, catalog, published }: Given): string[] {
  const keys = (tables: readonly PublishedTable[]): string[] => tables.map(({ key }) => key);
  const withoutId = config.tables.map((rule) => ({
    pattern: rule.pattern,
    tables: keys(
      published.filter(
        (table) => table.rule === rule && rule.id === null && table.table.primaryKey.length === 0,
      ),
    ),
  }));
  const partitioned = keys(
    config.source.eventTrigger ? [] : published.filter(({ table }) => table.kind === 'partitioned'),
  );
  const excluded = published.flatMap(({ key, partitions }) =>
    partitions
      .filter((partition) => config.exclude.some((pattern) => matchesTable(pattern, nameOf(partition))))
      .map((partition) => `${keyOf(partition)} (of ${key})`),
  );
  const unlogged = catalog.tables.filter(
    (table) =>
      table.persistence === 'unlogged' &&
      config.tables.some(({ pattern }) => isPattern(pattern) && matchesTable(pattern, nameOf(table))),
  );
  return [
    ...withoutId.flatMap(({ pattern, tables }) =>
      about(
        tables,
        (names, is) =>
          `${names} ${is ? 'has' : 'have'} no primary key: ${is ? 'its' : 'their'} entries have no entity id. Name its columns under tables."${pattern}".id.`,
      ),
    ),
    ...about(
      partitioned,
      (names, is) =>
        `${names} ${is ? 'is' : 'are'} partitioned, and PostgreSQL gives new partitions no replica identity full. Run waltrail apply after creating ` +
        'one, or previous values of its rows are unknown. With source.event_trigger: true in the YAML, new partitions get it automatically.',
    ),
    ...about(
      excluded,
      (names) => `${names} cannot be excluded: partitions are tracked as rows of their table.`,
    ),
    ...about(
      unlogged.map(keyOf),
      (names, is) =>
        `${names} ${is ? 'is unlogged and cannot be tracked: its' : 'are unlogged and cannot be tracked: their'} changes are not in the WAL.`,
    ),
  ];
}
