import { ERROR_CODES } from '../errors.js';
import { quoteIdentifier, quoteTable } from '../pg/quote.js';
import type { Catalog, CatalogPublication, CatalogTable } from './catalog.js';
import { indexOf } from './catalog-index.js';
import type { Findings, PlanProblem, PlanStep } from './findings.js';
import { planFollow } from './follow.js';
import { formatTable, isNeverTracked, type TableName, isNameable } from './names.js';
import type { Found } from './found.js';
import { markSql } from './publication-mark.js';
import { ownershipOf } from './publication-owner.js';
import { keptWarnings, membersOf, restoring } from './restore.js';
import type { TrackingConfig } from './rules.js';
import { keyOf, nameOf, type PublishedTable } from './tracked.js';

const OPERATIONS = ['insert', 'update', 'delete', 'truncate'] as const;

/**
 * PostgreSQL 18. Without this option it refuses updates of a table that has stored generated columns and
 * replica identity full.
 */
const HAS_GENERATED_OPTION = 180_000;

/** A publication of this name, as `apply` leaves it. */
export const asApplied = (options: {
  readonly name: string;
  readonly version: number;
  readonly tables: readonly TableName[];
}): CatalogPublication => ({
  name: options.name,
  allTables: false,
  schemas: [],
  publish: OPERATIONS,
  viaRoot: true,
  generatedColumns: options.version >= HAS_GENERATED_OPTION ? 'stored' : null,
  comment: null,
  tables: options.tables.map((table) => ({ ...table, rowFilter: null, columnList: null })),
});

interface PublicationPlan extends Findings {
  /** Steps before those for replica identities: they make these harmless or unnecessary. */
  readonly before: readonly PlanStep[];
  /** Steps after them: without a replica identity, a table refuses updates as soon as it is published. */
  readonly after: readonly PlanStep[];
}

/**
 * Plans to give the publication exactly the needed tables, complete and with every operation, and the schemas
 * in which it follows new tables.
 */
export function planPublication(options: {
  readonly config: TrackingConfig;
  readonly catalog: Catalog;
  readonly published: readonly PublishedTable[];
  /** What is stored in the publication's comment once the plan is applied. */
  readonly found: Found | null;
  /** Whether a publication of another owner may be changed. */
  readonly takeOver: boolean;
}): PublicationPlan {
  const { config, catalog, published } = options;
  const name = config.source.publication;
  const existing = catalog.publications.find((publication) => publication.name === name);
  if (existing?.allTables === true)
    return { before: [], after: [], warnings: [], problems: [unsuitable(existing)] };
  const tables = published.map(({ table }) => nameOf(table));
  const follow = planFollow({
    ...options,
    publication: asApplied({ name, version: catalog.server.version, tables }),
    existing: existing?.schemas ?? [],
  });
  if (existing === undefined) {
    const { problems, warnings } = follow;
    return { before: [], after: [...createSteps(options), ...follow.add], problems, warnings };
  }
  const wanted = new Map(published.map((table) => [table.key, table]));
  const whole = existing.tables.filter(
    ({ rowFilter, columnList }) => rowFilter === null && columnList === null,
  );
  const present = new Set(whole.map(formatTable));
  const ownership = ownershipOf({ ...options, existing });
  const foreign = follow.drop.length > 0 && !ownership.isOurs;
  const extra = existing.tables.filter(
    (table) => !wanted.has(formatTable(table)) && isNameable(table) && ownership.mayDrop(table),
  );
  const leaving = membersOfAll(extra, { catalog, staying: published });
  const restored = restoring(leaving, { ...options, holder: 'leaves' });
  const narrowed = existing.tables.filter(
    (table) => !whole.includes(table) && wanted.has(formatTable(table)),
  );
  const missing = published.filter(({ key, table }) => !present.has(key) && !follow.kept.has(table.schema));
  return {
    before: [
      ...ownership.steps,
      ...optionSteps(existing, catalog.server.version),
      ...dropStep(
        name,
        extra,
        'the YAML does not need them (for tracking, modifiers, labels, tenants or attribution), or they cannot be published',
      ),
      ...restored.steps,
      ...dropStep(
        name,
        narrowed,
        'a row filter or column list hides a part of them; they are added again without it',
      ),
    ],
    after: [
      ...(missing.length === 0 ? [] : [addStep(name, missing)]),
      ...(foreign ? [] : follow.drop),
      ...follow.add,
    ],
    problems: [
      ...(foreign ? [{ ...unsuitable(existing), applyOnly: true as const }] : ownership.problems),
      ...ownTables(name, extra),
      ...follow.problems,
    ],
    warnings: [...keptWarnings(restored.kept), ...follow.warnings],
  };
}

/**
 * Reports tables of Waltrail in the publication. Each entry would change the checkpoint, which would be a
 * change to record, and so on without end.
 */
function ownTables(publication: string, tables: readonly TableName[]): PlanProblem[] {
  const own = tables.filter(({ schema }) => isNeverTracked(schema));
  if (own.length === 0) return [];
  return [
    {
      code: 'SOURCE_PUBLISHES_TRAIL',
      message: `Publication ${publication} holds tables of Waltrail's own: ${own.map(formatTable).join(', ')}.`,
      remedy: `Run waltrail apply, or run on the source: alter publication ${quoteIdentifier(publication)} drop table ${own.map(({ schema, table }) => quoteTable(schema, table)).join(', ')};`,
      tables: [],
      captureOnly: true,
    },
  ];
}

function createSteps({
  config,
  catalog,
  published,
  found,
}: Parameters<typeof planPublication>[0]): PlanStep[] {
  const options = [
    `publish = '${OPERATIONS.join(', ')}'`,
    'publish_via_partition_root = true',
    ...generatedOption(catalog.server.version),
  ];
  const mark = markSql(
    { name: config.source.publication, comment: null },
    { source: config.source.name, found },
  );
  return [
    {
      kind: 'publication_create',
      tables: published.map(({ key }) => key),
      // Created even without tables: the stream needs it, and tables are added later.
      sql: `create publication ${quoteIdentifier(config.source.publication)}${published.length === 0 ? '' : ` for table\n${tableList(published)}`}\nwith (${options.join(', ')});\n${mark}`,
      reason: 'the slot sends changes of the tables in this publication only',
      optional: false,
    },
  ];
}

function optionSteps(existing: CatalogPublication, version: number): PlanStep[] {
  const wrong = [
    ...(OPERATIONS.every((operation) => existing.publish.includes(operation))
      ? []
      : [`publish = '${OPERATIONS.join(', ')}'`]),
    ...(existing.viaRoot ? [] : ['publish_via_partition_root = true']),
    ...(existing.generatedColumns === 'stored' ? [] : generatedOption(version)),
  ];
  if (wrong.length === 0) return [];
  return [
    {
      kind: 'publication_options',
      tables: [],
      sql: `alter publication ${quoteIdentifier(existing.name)} set (${wrong.join(', ')})`,
      reason: 'every operation is audited, and rows of partitions are sent as rows of their table',
      optional: false,
    },
  ];
}

function dropStep(name: string, tables: readonly TableName[], reason: string): PlanStep[] {
  if (tables.length === 0) return [];
  return [
    {
      kind: 'publication_drop',
      tables: tables.map(formatTable),
      sql: `alter publication ${quoteIdentifier(name)} drop table\n${tables.map(({ schema, table }) => `  only ${quoteTable(schema, table)}`).join(',\n')}`,
      reason,
      optional: false,
    },
  ];
}

/** The step that adds tables to a publication. */
export const addStep = (name: string, tables: readonly PublishedTable[]): PlanStep => ({
  kind: 'publication_add',
  tables: tables.map(({ key }) => key),
  sql: `alter publication ${quoteIdentifier(name)} add table\n${tableList(tables)}`,
  reason: tables.every(({ insertsOnly }) => insertsOnly)
    ? 'their new rows say who made the changes of their transactions'
    : 'the YAML tracks them, or looks up names, labels or tenants in them',
  optional: false,
});

/**
 * A list of tables with `only`: tables that inherit from one are not included, because the YAML names each of
 * them separately.
 */
const tableList = (tables: readonly PublishedTable[]): string =>
  tables.map(({ table }) => `  only ${quoteTable(table.schema, table.name)}`).join(',\n');

const generatedOption = (version: number): string[] =>
  version >= HAS_GENERATED_OPTION ? ['publish_generated_columns = stored'] : [];

const unsuitable = ({ name, allTables, schemas }: CatalogPublication): Findings['problems'][number] => ({
  code: 'SOURCE_PUBLICATION_UNSUITABLE',
  tables: [],
  message: `Publication ${name} is ${allTables ? 'for all tables' : `for whole schemas (${schemas.join(', ')})`}; Waltrail needs one with an exact list of tables.`,
  remedy: ERROR_CODES.SOURCE_PUBLICATION_UNSUITABLE.remedy,
});

/**
 * Tables that leave the publication, with their partitions. Partitions of a table that stays are left out.
 */
function membersOfAll(
  leaving: readonly TableName[],
  { catalog, staying }: { readonly catalog: Catalog; readonly staying: readonly PublishedTable[] },
): readonly CatalogTable[] {
  const kept = new Set(staying.flatMap(({ table }) => membersOf(table, catalog).map(keyOf)));
  const tables = leaving.flatMap((table) => indexOf(catalog).tables.get(formatTable(table)) ?? []);
  return [...new Set(tables.flatMap((table) => membersOf(table, catalog)))].filter(
    (member) => !kept.has(keyOf(member)),
  );
}
