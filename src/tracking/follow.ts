import { quoteIdentifier } from '../pg/quote.js';
import type { Catalog, CatalogPublication, CatalogTable } from './catalog.js';
import type { Findings, PlanProblem, PlanStep } from './findings.js';
import { listNames } from './list-names.js';
import { isNeverTracked, matchesNewTables } from './names.js';
import { HAS_SCHEMA_PUBLICATIONS } from './published-sql.js';
import { identitySql, refusesWrites } from './refusal.js';
import type { TrackingConfig } from './rules.js';
import { keyOf, partitionsOf, type PublishedTable } from './tracked.js';

interface FollowPlan extends Findings {
  /** Steps for schemas that leave the publication. They run once their tables are listed one by one. */
  readonly drop: readonly PlanStep[];
  /**
   * Steps for schemas that enter the publication. They run once their tables have the replica identities that
   * they need.
   */
  readonly add: readonly PlanStep[];
  /** Schemas that the publication holds completely and will keep. */
  readonly kept: ReadonlySet<string>;
}

/**
 * Plans which schemas the publication holds completely. With `on_new_table: follow` these are the schemas in
 * which a pattern tracks tables: a new table there is published before its first row. Everything else in such
 * a schema is published too. PostgreSQL then refuses updates and deletes of tables without a usable replica
 * identity, so a schema with such a table is not followed.
 */
export function planFollow(options: {
  readonly config: TrackingConfig;
  readonly catalog: Catalog;
  /** Tables that will have the replica identities that they need. */
  readonly published: readonly PublishedTable[];
  /** The publication as it will be, except for its schemas. */
  readonly publication: CatalogPublication;
  /** Schemas that the publication holds now. */
  readonly existing: readonly string[];
}): FollowPlan {
  const { catalog, publication, existing } = options;
  const schemas = followedSchemas(options);
  if (schemas.length > 0 && catalog.server.version < HAS_SCHEMA_PUBLICATIONS)
    return { drop: [], add: [], kept: new Set(), problems: [TOO_OLD], warnings: [] };
  // A schema that the publication already holds stays. Refused writes there are a trouble of their table.
  const missing = schemas
    .filter((schema) => !existing.includes(schema))
    .map((schema) => ({ schema, hindering: hindering(schema, options) }));
  const entering = missing.filter(({ hindering }) => hindering.length === 0).map(({ schema }) => schema);
  const leaving = existing.filter((schema) => !schemas.includes(schema));
  const { name } = publication;
  return {
    drop: leaving.map((schema) => ({
      kind: 'publication_unfollow',
      tables: [],
      sql: `alter publication ${quoteIdentifier(name)} drop tables in schema ${quoteIdentifier(schema)}`,
      reason: 'the YAML no longer asks to follow new tables there',
      optional: false,
    })),
    add: entering.map((schema) => ({
      kind: 'publication_follow',
      tables: [],
      sql: `alter publication ${quoteIdentifier(name)} add tables in schema ${quoteIdentifier(schema)}`,
      reason: 'new tables there are captured from their first row',
      optional: true,
    })),
    kept: new Set(existing.filter((schema) => schemas.includes(schema))),
    problems: missing.flatMap(({ schema, hindering }) => notFollowed(schema, hindering)),
    warnings:
      (entering.length === 0 && leaving.length === 0) || catalog.role.superuser
        ? []
        : [
            `Only a superuser may add a whole schema to a publication, and role ${catalog.role.name} is not a superuser. Let a superuser run that step, ` +
              'or run waltrail apply with a superuser in source.url.',
          ],
  };
}

/**
 * Schemas of the source in which a pattern of the YAML tracks new tables; none without `on_new_table:
 * follow`.
 */
function followedSchemas({
  config,
  catalog,
}: {
  readonly config: TrackingConfig;
  readonly catalog: Catalog;
}): string[] {
  if (config.source.onNewTable !== 'follow') return [];
  return catalog.schemas.filter(
    (schema) =>
      !isNeverTracked(schema) && config.tables.some(({ pattern }) => matchesNewTables(pattern, schema)),
  );
}

/** Tables for which PostgreSQL would refuse updates and deletes if their schema were published. */
function hindering(
  schema: string,
  { catalog, published, publication }: Parameters<typeof planFollow>[0],
): CatalogTable[] {
  const fit = new Set(published.flatMap(({ table, partitions }) => [table, ...partitions].map(keyOf)));
  const after: Catalog = {
    ...catalog,
    publications: [
      ...catalog.publications.filter(({ name }) => name !== publication.name),
      { ...publication, schemas: [schema] },
    ],
  };
  const without: Catalog = {
    ...catalog,
    publications: catalog.publications.filter(({ name }) => name !== publication.name),
  };
  return catalog.tables
    .filter((table) => table.schema === schema)
    .flatMap((table) => [table, ...partitionsOf(table, catalog)])
    .filter(
      (table) =>
        !fit.has(keyOf(table)) &&
        refusesWrites(table, after) !== null &&
        // If another publication causes the refusal anyway, this one changes nothing.
        refusesWrites(table, without) === null,
    );
}

function notFollowed(schema: string, tables: readonly CatalogTable[]): PlanProblem[] {
  const keys = [...new Set(tables.map(keyOf))];
  const [first] = tables;
  if (first === undefined) return [];
  return [
    {
      code: 'SOURCE_NOT_FOLLOWED',
      message: `New tables of schema ${schema} cannot be followed: PostgreSQL would refuse updates and deletes of ${listNames(keys)}, which ${keys.length === 1 ? 'has' : 'have'} no usable replica identity.`,
      remedy: `Give ${keys.length === 1 ? 'it' : 'each'} a primary key, or run: ${identitySql(first, 'full')};${keys.length === 1 ? '' : ' and the same for the others.'} Then run waltrail apply. Or set source.on_new_table: apply in the YAML.`,
      tables: keys,
      effect: 'as far as possible',
    },
  ];
}

const TOO_OLD: PlanProblem = {
  code: 'SOURCE_NOT_FOLLOWED',
  message:
    'New tables cannot be followed: this needs PostgreSQL 15 or later, where a publication can hold whole schemas.',
  remedy: 'Set source.on_new_table: apply in the YAML.',
  tables: [],
  applyOnly: true,
};
