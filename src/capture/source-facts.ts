import type { Lsn } from '../pg/lsn.js';
import { currentLsn } from '../pg/wal.js';
import type { TableFacts } from '../pipeline/table-facts.js';
import { readTableShapes } from '../tracking/table-shape.js';
import { knownName, namedColumns, type PublishedState } from '../tracking/published.js';
import { RowTypes } from '../tracking/row-types.js';
import { isPublishable, nameOf } from '../tracking/tracked.js';
import type { Catalog } from '../tracking/catalog.js';
import { areWitnessesSent } from '../tracking/witnesses.js';
import type { ColumnName } from '../tracking/names.js';
import type { CatalogType } from '../tracking/value-kind.js';
import { withTimeLimit } from '../pg/time-limit.js';
import { onSource, type SourceAccess } from './source-state.js';

/**
 * Number of tables beyond twice the catalog that are remembered. Dropped tables are among them, because the
 * stream may lag behind a drop.
 */
const MAX_GONE = 10_000;

/** A reading of the catalog. */
export interface CatalogReading {
  readonly catalog: Catalog;
  readonly published: PublishedState;
  /** Position of the WAL before the catalog was read. */
  readonly lsn: Lsn;
}

/** Facts of one table, and the position of the WAL before they were read. */
interface Fact {
  /** Undefined: the catalog no longer has the table. */
  readonly facts: Omit<TableFacts, 'types'> | undefined;
  readonly lsn: Lsn;
}

/**
 * Facts of the catalog about the tables whose changes arrive. They are as of its last reading. If the source
 * describes a table that was created or changed since, the catalog is asked again.
 */
export class SourceFacts {
  readonly #source: SourceAccess;
  readonly #limitMs: number;
  /** All types that were ever read, because a column may have a type that no longer exists. */
  #types: ReadonlyMap<number, CatalogType> = new Map();
  /** Null: they were not needed since the catalog was read. */
  #rowTypes: RowTypes | null = null;
  #catalog!: Catalog;
  /** Facts by unsigned oid. */
  readonly #tables = new Map<number, Fact>();

  constructor(
    options: SourceAccess &
      CatalogReading & {
        /** Time limit for an answer of the source. While capture waits for it, it reads nothing else. */
        readonly limitMs: number;
      },
  ) {
    this.#source = options;
    this.#limitMs = options.limitMs;
    this.learn(options);
  }

  /**
   * Takes over a reading of the catalog. Tables that are missing from it were dropped, and their last changes
   * may still arrive.
   */
  learn({ catalog, published, lsn }: CatalogReading): void {
    if (this.#tables.size > 2 * catalog.tables.length + MAX_GONE) this.#tables.clear();
    this.#types = new Map([...this.#types, ...catalog.types]);
    this.#catalog = catalog;
    this.#rowTypes = null;
    for (const [oid, facts] of tableFacts({ catalog, published })) this.#tables.set(oid, { facts, lsn });
  }

  /** Finds tables by the type names that frameworks store. */
  get rowTypes(): RowTypes {
    return (this.#rowTypes ??= new RowTypes(this.#catalog.tables.filter(isPublishable).map(nameOf)));
  }

  /** True if every witness is sent. */
  get areWitnessesSent(): boolean {
    return areWitnessesSent(this.#source.config, this.#catalog);
  }

  /** Returns what is known of a table; undefined: nothing. The stream gives the oid as a signed number. */
  of(relationOid: number): TableFacts | undefined {
    const facts = this.#tables.get(relationOid >>> 0)?.facts;
    return facts === undefined ? undefined : { ...facts, types: this.#types };
  }

  /**
   * Asks the catalog for tables that the source describes, if they may have been created or given a primary
   * key since it was read. Without the key, their rows would have no entity id. Returns undefined if there is
   * nothing to ask. Rejects as {@link onSource} does.
   *
   * @param commitLsn of the transaction that the description belongs to
   */
  ask(relationOids: readonly number[], commitLsn: Lsn): Promise<void> | undefined {
    const oids = relationOids.map((oid) => oid >>> 0).filter((oid) => !this.#isKnownAt(oid, commitLsn));
    if (oids.length === 0) return undefined;
    const { config, signal } = this.#source;
    return withTimeLimit({ signal, limitMs: this.#limitMs }, (limited) =>
      onSource({ config, signal: limited }, async (client) => {
        const lsn = await currentLsn(client);
        const { shapes, types } = await readTableShapes(client, oids);
        this.#types = new Map([...this.#types, ...types.map((type) => [type.oid, type] as const)]);
        for (const oid of oids) {
          const known = this.#tables.get(oid)?.facts;
          const shape = shapes.get(oid);
          // The catalog may have a later name than the changes have. They state their name themselves.
          const facts =
            shape === undefined
              ? known && { ...known, attributes: null }
              : {
                  knownAs: known?.knownAs ?? null,
                  named: known?.named ?? new Map<number, ColumnName>(),
                  ...shape,
                };
          this.#tables.set(oid, { facts, lsn });
        }
      }),
    );
  }

  #isKnownAt(oid: number, lsn: Lsn): boolean {
    const known = this.#tables.get(oid);
    return known !== undefined && lsn < known.lsn;
  }
}

/** Returns the facts of tables in a reading of the catalog, by oid. */
const tableFacts = ({
  catalog,
  published,
}: Pick<CatalogReading, 'catalog' | 'published'>): ReadonlyMap<number, TableFacts> =>
  new Map(
    [...catalog.tables, ...catalog.unnamed].map(({ oid, schema, name, kind, ...table }) => {
      const state = published.tables[oid];
      const knownAs = state === undefined ? { schema, table: name } : knownName(state);
      const named = namedColumns(state);
      const partitioned = kind === 'partitioned';
      const { primaryKey, keyXid, attributes } = table;
      const { types } = catalog;
      return [Number(oid), { knownAs, primaryKey, keyXid, partitioned, attributes, named, types }];
    }),
  );
