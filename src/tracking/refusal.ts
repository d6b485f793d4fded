import { quoteIdentifier, quoteTable } from '../pg/quote.js';
import type { Catalog, CatalogPublication, CatalogPublicationTable, CatalogTable } from './catalog.js';
import { indexOf } from './catalog-index.js';
import { keyOf, lineageOf } from './tracked.js';

/** The reason why PostgreSQL refuses writes of the application, and what ends it. */
export interface Refusal {
  /** Completes a sentence that begins with the table: "has no …". */
  readonly reason: string;
  /** SQL, or a sentence if no statement can end it. Begins and ends as a sentence does. */
  readonly heal: string;
}

/**
 * Before PostgreSQL 15, the partitioned table itself needs a usable identity too, although rows are written
 * to partitions.
 */
const ROOT_IS_NOT_ASKED = 150_000;

/** From PostgreSQL 18 on, an identity with generated columns is refused if these are not published. */
const GENERATED_MUST_BE_PUBLISHED = 180_000;

/**
 * Returns why PostgreSQL refuses updates and deletes of a published table, under any publication; null: it
 * does not. INSERT … ON CONFLICT DO UPDATE, MERGE, cascading foreign keys and triggers that write to the
 * table are refused too. `plan` avoids such a state by this rule, and capture reports it. The event trigger
 * has the same rule in SQL (sql/source/event-trigger.sql). Pure: to test a change, pass a changed table or
 * catalog.
 * https://www.postgresql.org/docs/current/logical-replication-publication.html#LOGICAL-REPLICATION-PUBLICATION-REPLICA-IDENTITY
 */
export function refusesWrites(table: CatalogTable, catalog: Catalog): Refusal | null {
  const reason = reasonOf(table, catalog);
  return reason === null ? null : { reason, heal: healOf(table, catalog) };
}

/** Returns the statement that gives a table another replica identity. */
export const identitySql = (
  { schema, name }: Pick<CatalogTable, 'schema' | 'name'>,
  identity: 'full' | 'default',
): string => `alter table only ${quoteTable(schema, name)} replica identity ${identity}`;

function reasonOf(table: CatalogTable, catalog: Catalog): string | null {
  if (table.persistence !== 'permanent') return null;
  if (table.kind !== 'table' && !(table.kind === 'partitioned' && catalog.server.version < ROOT_IS_NOT_ASKED))
    return null;
  const holding = publicationsOf(table, catalog);
  for (const holder of holding) {
    const reason = reasonFor(table, { ...holder, version: catalog.server.version });
    if (reason !== null) return reason;
  }
  return null;
}

/**
 * A publication of updates or deletes that holds the table, with the entry that decides about its columns and
 * rows.
 */
interface Holder {
  readonly publication: CatalogPublication;
  /** Undefined: the publication holds all tables, or the whole schema. */
  readonly entry: CatalogPublicationTable | undefined;
}

function publicationsOf(table: CatalogTable, catalog: Catalog): Holder[] {
  const lineage = lineageOf(table, catalog);
  return catalog.publications.flatMap((publication) => {
    if (!publication.publish.includes('update') && !publication.publish.includes('delete')) return [];
    const entries = lineage.map((member) => indexOf(catalog).entries.get(publication)?.get(keyOf(member)));
    const named = entries.filter((entry) => entry !== undefined);
    const holds =
      named.length > 0 ||
      publication.allTables ||
      lineage.some(({ schema }) => publication.schemas.includes(schema));
    if (!holds) return [];
    // If changes are published via the root, the topmost entry counts, else the partition's own entry.
    return [{ publication, entry: publication.viaRoot ? named.at(-1) : entries[0] }];
  });
}

function reasonFor(table: CatalogTable, holder: Holder & { readonly version: number }): string | null {
  const { publication, entry, version } = holder;
  const stored = columnsGenerated(table, 'stored');
  const hides = version >= GENERATED_MUST_BE_PUBLISHED && publication.generatedColumns !== 'stored';
  const hidden =
    `has generated columns that publication ${publication.name} does not publish ` +
    `(alter publication ${quoteIdentifier(publication.name)} set (publish_generated_columns = stored); would)`;
  if (table.replicaIdentity === 'full') {
    if (columnsGenerated(table, 'virtual').length > 0)
      return 'has virtual generated columns, and PostgreSQL then accepts no replica identity full';
    if (entry?.columnList != null)
      return `is in publication ${publication.name} with only some of its columns, which replica identity full does not allow`;
    if (hides && stored.length > 0) return `${hidden}, which replica identity full does not allow`;
    return null;
  }
  const key = identityKey(table);
  if (key === null) return NO_KEY[table.replicaIdentity];
  if (entry?.rowFilter?.some((column) => !key.includes(column)) === true)
    return `has a row filter in publication ${publication.name} with columns that are not in its replica identity`;
  if (entry?.columnList != null && key.some((column) => !entry.columnList!.includes(column)))
    return `has columns in its replica identity that publication ${publication.name} leaves out`;
  if (hides && key.some((column) => stored.includes(column))) return `${hidden}, in its replica identity`;
  return null;
}

const NO_KEY = {
  default: 'has no primary key that can serve as its replica identity (a deferrable one cannot)',
  index: 'has lost the index that was its replica identity',
  nothing: 'has replica identity nothing',
} as const;

/** Columns that identify a row for updates and deletes. Null: none, so PostgreSQL refuses them. */
export function identityKey(table: CatalogTable): readonly string[] | null {
  const key = table.keys.find(({ primary, identity }) => {
    switch (table.replicaIdentity) {
      case 'default':
        return primary;
      case 'index':
        return identity;
      case 'nothing':
      case 'full':
        return false;
    }
  });
  return key?.columns ?? null;
}

const columnsGenerated = (table: CatalogTable, generated: 'stored' | 'virtual'): string[] =>
  table.columns.filter((column) => column.generated === generated).map(({ name }) => name);

function healOf(table: CatalogTable, catalog: Catalog): string {
  const accepted = (changed: Partial<CatalogTable>): boolean =>
    reasonOf({ ...table, ...changed }, catalog) === null;
  for (const identity of ['full', 'default'] as const)
    if (accepted({ replicaIdentity: identity })) return `Run: ${identitySql(table, identity)};`;
  const index = table.keys.find((key) =>
    accepted({ replicaIdentity: 'index', keys: [{ ...key, identity: true }] }),
  );
  if (index !== undefined) {
    const name = quoteTable(table.schema, table.name);
    return `Run: alter table only ${name} replica identity using index ${quoteIdentifier(index.index)};`;
  }
  return leaving(table, catalog) ?? `Give ${keyOf(table)} a primary key.`;
}

/**
 * Statements that remove the table from every publication that holds it; null: one of them cannot be left.
 */
function leaving(table: CatalogTable, catalog: Catalog): string | null {
  const lineage = lineageOf(table, catalog);
  const statements: string[] = [];
  for (const { publication } of publicationsOf(table, catalog)) {
    if (publication.allTables || lineage.some(({ schema }) => publication.schemas.includes(schema)))
      return null;
    const held = lineage.filter((member) => indexOf(catalog).entries.get(publication)!.has(keyOf(member)));
    const names = held.map(({ schema, name }) => `only ${quoteTable(schema, name)}`);
    statements.push(`alter publication ${quoteIdentifier(publication.name)} drop table ${names.join(', ')};`);
  }
  return `Give ${keyOf(table)} a primary key, or run: ${statements.join(' ')}`;
}
