import type { Catalog, CatalogPublication, CatalogPublicationTable, CatalogTable } from './catalog.js';
import { formatTable } from './names.js';

/**
 * What is looked up in a catalog again and again, by the canonical names of tables: 10,000 tables are no
 * reason to search.
 */
export interface CatalogIndex {
  readonly tables: ReadonlyMap<string, CatalogTable>;
  /** Direct partitions of a partitioned table. */
  readonly partitions: ReadonlyMap<string, readonly CatalogTable[]>;
  /** Entries of a publication's list of tables. */
  readonly entries: ReadonlyMap<CatalogPublication, ReadonlyMap<string, CatalogPublicationTable>>;
}

const INDEXES = new WeakMap<Catalog, CatalogIndex>();

/** The index of a catalog, made once. */
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
