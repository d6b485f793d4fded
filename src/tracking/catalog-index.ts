import type { Catalog, CatalogPublication, CatalogPublicationTable, CatalogTable } from './catalog.js';
import { formatTable } from './names.js';

/**
 * Maps over a catalog by canonical table names. Lookups are frequent, and a search through 10,000 tables each
 * time would be slow.
 */
export interface CatalogIndex {
  readonly tables: ReadonlyMap<string, CatalogTable>;
  /** Direct partitions of a partitioned table. */
  readonly partitions: ReadonlyMap<string, readonly CatalogTable[]>;
  /** Entries of a publication's list of tables. */
  readonly entries: ReadonlyMap<CatalogPublication, ReadonlyMap<string, CatalogPublicationTable>>;
}

const INDEXES = new WeakMap<Catalog, CatalogIndex>();

/** Returns the index of a catalog, which is built once. */
export function indexOf(catalog: Catalog): CatalogIndex {
  let index = INDEXES.get(catalog);
  if (index === undefined) {
    index = makeIndex(catalog);
    INDEXES.set(catalog, index);
  }
  return index;
}

function makeIndex({ tables, publications }: Catalog): CatalogIndex {
  const partitions = new Map<string, CatalogTable[]>();
  for (const table of tables) {
    if (table.partitionOf === null) continue;
    const parent = formatTable(table.partitionOf);
    const siblings = partitions.get(parent);
    if (siblings === undefined) partitions.set(parent, [table]);
    else siblings.push(table);
  }
  return {
    tables: new Map(tables.map((table) => [formatTable({ schema: table.schema, table: table.name }), table])),
    partitions,
    entries: new Map(
      publications.map((publication) => [
        publication,
        new Map(publication.tables.map((entry) => [formatTable(entry), entry])),
      ]),
    ),
  };
}
