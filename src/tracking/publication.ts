import { quoteIdentifier, quoteTable } from '../pg/quote.js';
import type { Catalog, CatalogPublication } from './catalog.js';
import type { Findings, PlanProblem, PlanStep } from './plan.js';
import { formatTable, isNeverTracked, type TableName } from './names.js';
import type { TrackingConfig } from './rules.js';
import type { PublishedTable } from './tracked.js';

const OPERATIONS = ['insert', 'update', 'delete', 'truncate'] as const;

/** PostgreSQL 18: without it, updates of a table with stored generated columns and full replica identity are refused. */
const HAS_GENERATED_OPTION = 180_000;

interface PublicationPlan extends Findings {
  /** Before the replica identities: what makes them harmless, and what no longer needs one. */
  readonly before: readonly PlanStep[];
  /** After them: a table without a replica identity refuses updates from the moment it is published. */
  readonly after: readonly PlanStep[];
}

/** Brings the publication to exactly the tables that are needed, whole, with every operation. */
export function planPublication(options: {
  readonly config: TrackingConfig;
  readonly catalog: Catalog;
  readonly published: readonly PublishedTable[];
}): PublicationPlan {
  const { config, catalog, published } = options;
  const name = config.source.publication;
  const existing = catalog.publications.find((publication) => publication.name === name);
  if (existing === undefined) return { before: [], after: createSteps(options), problems: [], warnings: [] };
  if (existing.allTables || existing.schemas.length > 0) {
    return { before: [], after: [], warnings: [], problems: [unsuitable(existing)] };
  }
  const wanted = new Map(published.map((table) => [table.key, table]));
  const whole = existing.tables.filter((table) => !table.rowFilter && !table.columnList);
  const present = new Set(whole.map(formatTable));
  const extra = existing.tables.filter((table) => !wanted.has(formatTable(table)));
  const narrowed = existing.tables.filter(
    (table) => !whole.includes(table) && wanted.has(formatTable(table)),
  );
  const missing = published.filter(({ key }) => !present.has(key));
  return {
    before: [
      ...optionSteps(existing, catalog.server.version),
      ...dropStep(name, extra, 'the YAML names them neither for tracking nor for modifiers or labels'),
      ...dropStep(
        name,
        narrowed,
        'a row filter or column list hides a part of them; they are added again without',
      ),
    ],
    after: missing.length === 0 ? [] : [addStep(name, missing)],
    problems: ownTables(name, extra),
    warnings: extra.flatMap((table) => leftFull(catalog, table)),
  };
}

/**
 * What Waltrail itself writes must not come back to it: every entry would be a change that moves the checkpoint, which
 * is a change, for ever.
 */
function ownTables(publication: string, tables: readonly TableName[]): PlanProblem[] {
  const own = tables.filter(({ schema }) => isNeverTracked(schema));
  if (own.length === 0) return [];
  return [
    {
      code: 'SOURCE_PUBLISHES_TRAIL',
      message: `Publication ${publication} holds tables of Waltrail's own: ${own.map(formatTable).join(', ')}.`,
      remedy: `Run waltrail apply, or on the source: alter publication ${quoteIdentifier(publication)} drop table ${own.map(({ schema, table }) => quoteTable(schema, table)).join(', ')};`,
      captureOnly: true,
    },
  ];
}

function createSteps({ config, catalog, published }: Parameters<typeof planPublication>[0]): PlanStep[] {
  if (published.length === 0) return [];
  const options = [
    `publish = '${OPERATIONS.join(', ')}'`,
    'publish_via_partition_root = true',
    ...generatedOption(catalog.server.version),
  ];
  return [
    {
      kind: 'publication_create',
      tables: published.map(({ key }) => key),
      sql: `create publication ${quoteIdentifier(config.source.publication)} for table\n${tableList(published)}\nwith (${options.join(', ')})`,
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
      reason: 'every operation is audited, and rows of partitions belong to their table',
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

const addStep = (name: string, tables: readonly PublishedTable[]): PlanStep => ({
  kind: 'publication_add',
  tables: tables.map(({ key }) => key),
  sql: `alter publication ${quoteIdentifier(name)} add table\n${tableList(tables)}`,
  reason: 'the YAML tracks them, or looks up names of modifiers and labels in them',
  optional: false,
});

/** `only`: a table that inherits from this one is another table, which the YAML names by itself. */
const tableList = (tables: readonly PublishedTable[]): string =>
  tables.map(({ table }) => `  only ${quoteTable(table.schema, table.name)}`).join(',\n');

const generatedOption = (version: number): string[] =>
  version >= HAS_GENERATED_OPTION ? ['publish_generated_columns = stored'] : [];

const unsuitable = ({ name, allTables, schemas }: CatalogPublication): Findings['problems'][number] => ({
  code: 'SOURCE_PUBLICATION_UNSUITABLE',
  message: `Publication ${name} is ${allTables ? 'for all tables' : `for whole schemas (${schemas.join(', ')})`}; Waltrail keeps one with an exact list of tables.`,
  remedy: 'Choose another name under source.publication in the YAML; waltrail apply then creates it.',
});

function leftFull(catalog: Catalog, { schema, table }: TableName): string[] {
  const found = catalog.tables.find((candidate) => candidate.schema === schema && candidate.name === table);
  if (found?.replicaIdentity !== 'full') return [];
  return [
    `${formatTable({ schema, table })} leaves the publication but keeps replica identity full. If nothing else needs it: ` +
      `alter table only ${quoteTable(schema, table)} replica identity default;`,
  ];
}
