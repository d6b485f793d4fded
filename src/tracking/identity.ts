import { quoteTable } from '../pg/quote.js';
import type { Catalog, CatalogPublication, CatalogTable } from './catalog.js';
import type { Findings, IdentityCost, PlanProblem, PlanStep } from './plan.js';
import type { TrackingConfig } from './rules.js';
import { keyOf, type PublishedTable } from './tracked.js';

interface IdentityPlan extends Findings {
  readonly steps: readonly PlanStep[];
  readonly costs: readonly IdentityCost[];
}

const GENERATED_MUST_BE_PUBLISHED = 180_000;
const DAY_S = 86_400;

/**
 * Replica identity full for every published table, so that the WAL holds the row before the change; but not where
 * PostgreSQL would then refuse the application's own updates.
 * https://www.postgresql.org/docs/current/logical-replication-publication.html#LOGICAL-REPLICATION-PUBLICATION-REPLICA-IDENTITY
 */
export function planIdentity(options: {
  readonly config: TrackingConfig;
  readonly catalog: Catalog;
  readonly published: readonly PublishedTable[];
}): IdentityPlan {
  const steps: PlanStep[] = [];
  const problems: PlanProblem[] = [];
  const warnings: string[] = [];
  const costs: IdentityCost[] = [];
  for (const { key, table, rule, partitions } of options.published) {
    // The identity of the table says what is sent, that of the partition what is in the WAL; levels between do not matter.
    const members = [table, ...partitions.filter(({ kind }) => kind === 'table')];
    const blocker = members.map((member) => blockerOf(member, options)).find((reason) => reason !== null);
    if (blocker !== undefined) {
      const unusable = members.filter((member) => !hasUsableIdentity(member));
      if (unusable.length > 0) problems.push(cannotPublish(unusable, blocker));
      else if (members.some(({ replicaIdentity }) => replicaIdentity === 'full'))
        problems.push(refusesUpdates(table, blocker));
      else
        warnings.push(
          `${key} cannot have replica identity full: ${blocker}. Previous values of its updates are unknown, but for the key.`,
        );
      continue;
    }
    const narrow = members.filter(({ replicaIdentity }) => replicaIdentity !== 'full');
    for (const member of narrow) {
      steps.push({
        kind: 'replica_identity',
        tables: [keyOf(member)],
        sql: `alter table only ${quoteTable(member.schema, member.name)} replica identity full`,
        reason:
          rule === null
            ? 'names of modifiers or labels are followed in it'
            : 'previous values of updates and deletes need it',
        optional: member !== table && hasUsableIdentity(member),
      });
    }
    if (narrow.length > 0) costs.push(costOf(key, narrow));
  }
  return { steps, problems, warnings, costs };
}

/** Why replica identity full would make PostgreSQL refuse updates of the table; null where it would not. */
function blockerOf(
  table: CatalogTable,
  { config, catalog }: { config: TrackingConfig; catalog: Catalog },
): string | null {
  if (table.columns.some(({ generated }) => generated === 'virtual')) {
    return 'it has virtual generated columns, and PostgreSQL then refuses its updates once it is published';
  }
  const covering = catalog.publications.filter(
    (publication) =>
      publication.name !== config.source.publication && covers(publication, lineage(table, catalog)),
  );
  for (const publication of covering) {
    if (!publication.publish.includes('update') && !publication.publish.includes('delete')) continue;
    if (entryOf(publication, lineage(table, catalog))?.columnList === true) {
      return `publication ${publication.name} holds only some of its columns, and PostgreSQL would refuse its updates`;
    }
    const hidesGenerated =
      catalog.server.version >= GENERATED_MUST_BE_PUBLISHED && publication.generatedColumns !== 'stored';
    if (hidesGenerated && table.columns.some(({ generated }) => generated === 'stored')) {
      return (
        `publication ${publication.name} does not publish its generated columns, and PostgreSQL would refuse its updates ` +
        `(alter publication "${publication.name.replaceAll('"', '""')}" set (publish_generated_columns = stored) would allow it)`
      );
    }
  }
  return null;
}

function covers(publication: CatalogPublication, tables: readonly CatalogTable[]): boolean {
  return (
    publication.allTables ||
    entryOf(publication, tables) !== undefined ||
    tables.some(({ schema }) => publication.schemas.includes(schema))
  );
}

function entryOf(
  publication: CatalogPublication,
  tables: readonly CatalogTable[],
): CatalogPublication['tables'][number] | undefined {
  return publication.tables.find((entry) =>
    tables.some(({ schema, name }) => schema === entry.schema && name === entry.table),
  );
}

/** The table and those it is a partition of: a publication that holds one of them holds it. */
function lineage(table: CatalogTable, catalog: Catalog): CatalogTable[] {
  const { partitionOf } = table;
  if (partitionOf === null) return [table];
  const parent = catalog.tables.find(
    ({ schema, name }) => schema === partitionOf.schema && name === partitionOf.table,
  );
  return parent === undefined ? [table] : [table, ...lineage(parent, catalog)];
}

/** Whether updates of the table are possible once it is published. */
function hasUsableIdentity(table: CatalogTable): boolean {
  switch (table.replicaIdentity) {
    case 'default':
      return table.primaryKey.length > 0;
    case 'nothing':
      return false;
    case 'full':
    case 'index':
      return true;
  }
}

const cannotPublish = (tables: readonly CatalogTable[], blocker: string): PlanProblem => ({
  code: 'SOURCE_REPLICA_IDENTITY',
  message: `${tables.map(keyOf).join(', ')} cannot be tracked: it has no usable replica identity and cannot have a full one, because ${blocker}.`,
  remedy: `Give it a primary key, or another replica identity: ${tables.map((table) => `alter table ${quoteTable(table.schema, table.name)} replica identity using index …;`).join(' ')}`,
});

const refusesUpdates = (table: CatalogTable, blocker: string): PlanProblem => ({
  code: 'SOURCE_REPLICA_IDENTITY',
  message: `${keyOf(table)} has replica identity full, but ${blocker}.`,
  remedy: `Run: alter table ${quoteTable(table.schema, table.name)} replica identity default;`,
});

function costOf(key: string, tables: readonly CatalogTable[]): IdentityCost {
  const rows = sum(tables.map((table) => table.rows));
  const rowBytes = rows === 0 ? null : sum(tables.map(({ bytes }) => bytes)) / rows;
  const rates = tables.filter(({ kind }) => kind === 'table').map(({ changesPerSecond }) => changesPerSecond);
  const changesPerDay = rates.includes(null) ? null : sum(rates.map((rate) => rate ?? 0)) * DAY_S;
  return {
    table: key,
    columns: Math.max(...tables.map(({ columns }) => columns.length)),
    rowBytes,
    changesPerDay,
    walBytesPerDay: rowBytes === null || changesPerDay === null ? null : rowBytes * changesPerDay,
  };
}

const sum = (numbers: readonly number[]): number => numbers.reduce((total, number) => total + number, 0);
