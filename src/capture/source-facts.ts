import { WaltrailError } from '../errors.js';
import type { TableFacts } from '../pipeline/transaction-recorder.js';
import type { Catalog, CatalogTable } from '../tracking/catalog.js';
import { knownName, type PublishedState } from '../tracking/published.js';

/** Oids of tables of which a session has asked the catalog anew, so that none does it twice. */
export type AskedTables = Set<number>;

/** As many are remembered; one that is forgotten is asked for again. */
const MAX_ASKED = 10_000;

/** What the catalog says of the tables whose changes arrive: as of the last reading of it. */
export class SourceFacts {
  readonly #asked: AskedTables;
  #tables: ReadonlyMap<string, CatalogTable> = new Map();
  #published: PublishedState['tables'] = {};

  constructor(options: {
    readonly catalog: Catalog;
    readonly published: PublishedState;
    readonly asked: AskedTables;
  }) {
    this.#asked = options.asked;
    this.learn(options);
  }

  learn({ catalog, published }: { readonly catalog: Catalog; readonly published: PublishedState }): void {
    this.#tables = new Map(catalog.tables.map((table) => [table.oid, table]));
    this.#published = published.tables;
  }

  /**
   * Facts by oid; undefined for a table that the catalog does not know any more. Throws SOURCE_LOOK_AGAIN for one that was
   * made after the last reading: without its primary key its rows would have no entity id.
   */
  of(relationOid: number): TableFacts | undefined {
    // Oids are unsigned, and read as signed.
    const oid = String(relationOid >>> 0);
    const table = this.#tables.get(oid);
    if (table === undefined) return this.#ask(relationOid);
    const state = this.#published[oid];
    return {
      knownAs: state === undefined ? { schema: table.schema, table: table.name } : knownName(state),
      primaryKey: table.primaryKey,
      partitioned: table.kind === 'partitioned',
    };
  }

  #ask(relationOid: number): undefined {
    if (this.#asked.has(relationOid)) return undefined;
    if (this.#asked.size >= MAX_ASKED) this.#asked.clear();
    this.#asked.add(relationOid);
    throw new WaltrailError(
      'SOURCE_LOOK_AGAIN',
      `Changes of a table arrive that was made after the catalog was read (oid ${relationOid >>> 0}).`,
    );
  }
}
