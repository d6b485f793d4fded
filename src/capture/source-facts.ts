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
 * Of tables that exist no more as many are remembered as this and the catalog together, for the stream may
 * lag behind a drop.
 */
const MAX_GONE = 10_000;

/** A reading of the catalog. */
export interface CatalogReading {
  readonly catalog: Catalog;
  readonly published: PublishedState;
  /** Position of the WAL before it. */
  readonly lsn: Lsn;
}

/** Of one table, and the position of the WAL before this was read. */
interface Fact {
  /** Undefined: the catalog does not know it any more. */
  readonly facts: Omit<TableFacts, 'types'> | undefined;
  readonly lsn: Lsn;
}

/**
 * What the catalog says of the tables whose changes arrive: as of its last reading, or asked for when the
 * source describes one that was made or changed since.
 */
export class SourceFacts {
  readonly #source: SourceAccess;
  readonly #limitMs: number;
  /** Of all that was ever read: a column may have the type of one that is gone. */
  #types: ReadonlyMap<number, CatalogType> = new Map();
  /** Null: nobody has asked since the catalog was read. */
  #rowTypes: RowTypes | null = null;
  #catalog!: Catalog;
  /** By oid, unsigned. */
  readonly #tables = new Map<number, Fact>();

  constructor(
    options: SourceAccess &
      CatalogReading & {
        /** For an answer of the source: while it is waited for, nothing else is read. */
        readonly limitMs: number;
      },
  ) {
    this.#source = options;
    this.#limitMs = options.limitMs;
    this.learn(options);
  }

  /**
   * Takes over a reading of the catalog. What it lacks was dropped, and its last changes may still arrive.
   */
  learn({ catalog, published, lsn }: CatalogReading): void {
    if (this.#tables.size > 2 * catalog.tables.length + MAX_GONE) this.#tables.clear();
    this.#types = new Map([...this.#types, ...catalog.types]);
    this.#catalog = catalog;
    this.#rowTypes = null;
    for (const [oid, facts] of tableFacts({ catalog, published })) this.#tables.set(oid, { facts, lsn });
  }

  /** Tables by the types of frameworks. */
  get rowTypes(): RowTypes {
    return (this.#rowTypes ??= new RowTypes(this.#catalog.tables.filter(isPublishable).map(nameOf)));
  }

  /** Whether every witness is sent. */
  get areWitnessesSent(): boolean {
    return areWitnessesSent(this.#source.config, this.#catalog);
  }

  /** Undefined where nothing is known. Oids are unsigned, and read from the stream as signed. */
  of(relationOid: number): TableFacts | undefined {
    const facts = this.#tables.get(relationOid >>> 0)?.facts;
    return facts === undefined ? undefined : { ...facts, types: this.#types };
  }

  /**
   * Asks the catalog for tables that the source describes, where that may be because they were made or given
   * a primary key since it was read: without the key, their rows would have no entity id. Undefined where
   * there is nothing to ask. Rejects as {@link onSource} does.
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
          // Its name may be a later one than that of its changes, which name it themselves.
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

/** What a reading of the catalog says of tables, by oid. */
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
