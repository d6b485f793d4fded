import type { Lsn } from '../pg/lsn.js';
import { currentLsn } from '../pg/wal.js';
import type { TableFacts } from '../pipeline/transaction-recorder.js';
import { readTableKeys } from '../tracking/table-key.js';
import { knownName, type PublishedState } from '../tracking/published.js';
import type { Catalog } from '../tracking/catalog.js';
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
  readonly facts: TableFacts | undefined;
  readonly lsn: Lsn;
}

/**
 * What the catalog says of the tables whose changes arrive: as of its last reading, or asked for when the
 * source describes one that was made or changed since.
 */
export class SourceFacts {
  readonly #source: SourceAccess;
  readonly #limitMs: number;
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
    for (const { oid, schema, name, kind, primaryKey } of [...catalog.tables, ...catalog.unnamed]) {
      const state = published.tables[oid];
      const knownAs = state === undefined ? { schema, table: name } : knownName(state);
      this.#tables.set(Number(oid), {
        facts: { knownAs, primaryKey, partitioned: kind === 'partitioned' },
        lsn,
      });
    }
  }

  /** Undefined where nothing is known. Oids are unsigned, and read from the stream as signed. */
  of(relationOid: number): TableFacts | undefined {
    return this.#tables.get(relationOid >>> 0)?.facts;
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
    const limited = AbortSignal.any([signal, AbortSignal.timeout(this.#limitMs)]);
    return onSource({ config, signal: limited }, async (client) => {
      const lsn = await currentLsn(client);
      const keys = await readTableKeys(client, oids);
      for (const oid of oids) {
        const known = this.#tables.get(oid)?.facts;
        const key = keys.get(oid);
        // Its name may be a later one than that of its changes, which name it themselves.
        const facts = key === undefined ? known : { knownAs: known?.knownAs ?? null, ...key };
        this.#tables.set(oid, { facts, lsn });
      }
    });
  }

  #isKnownAt(oid: number, lsn: Lsn): boolean {
    const known = this.#tables.get(oid);
    return known !== undefined && lsn < known.lsn;
  }
}
