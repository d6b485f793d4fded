import type { TableFacts } from '../pipeline/transaction-recorder.js';
import type { Catalog } from '../tracking/catalog.js';
import { readTableKey } from '../tracking/table-key.js';
import { knownName, type PublishedState } from '../tracking/published.js';
import { onSource, type SourceAccess } from './source-look.js';

/** Of tables that exist no more as many are remembered as this and the catalog together, for the stream may lag behind a drop. */
const MAX_GONE = 10_000;

/** What the catalog says of the tables whose changes arrive: as of its last reading, or asked for when the first of them comes. */
export class SourceFacts {
  readonly #source: SourceAccess;
  readonly #limitMs: number;
  /** By oid, unsigned. Undefined: the catalog does not know it any more. */
  readonly #tables = new Map<number, TableFacts | undefined>();

  constructor(
    options: SourceAccess & {
      readonly catalog: Catalog;
      readonly published: PublishedState;
      /** For an answer of the source: while it is waited for, nothing else is read. */
      readonly limitMs: number;
    },
  ) {
    this.#source = options;
    this.#limitMs = options.limitMs;
    this.learn(options);
  }

  /** Takes over a reading of the catalog. What it lacks was dropped, and its last changes may still arrive. */
  learn({ catalog, published }: { readonly catalog: Catalog; readonly published: PublishedState }): void {
    if (this.#tables.size > 2 * catalog.tables.length + MAX_GONE) this.#tables.clear();
    for (const { oid, schema, name, kind, primaryKey } of catalog.tables) {
      const state = published.tables[oid];
      this.#tables.set(Number(oid), {
        knownAs: state === undefined ? { schema, table: name } : knownName(state),
        primaryKey,
        partitioned: kind === 'partitioned',
      });
    }
  }

  /** Undefined where nothing is known. Oids are unsigned, and read from the stream as signed. */
  of(relationOid: number): TableFacts | undefined {
    return this.#tables.get(relationOid >>> 0);
  }

  /**
   * Asks the catalog for a table that was made since its last reading: without its primary key, its rows would have no entity
   * id. Undefined where there is nothing to ask. Rejects as {@link onSource} does.
   */
  ask(relationOid: number): Promise<void> | undefined {
    const oid = relationOid >>> 0;
    if (this.#tables.has(oid)) return undefined;
    const { config, signal } = this.#source;
    const limited = AbortSignal.any([signal, AbortSignal.timeout(this.#limitMs)]);
    return onSource({ config, signal: limited }, async (client) => {
      const key = await readTableKey(client, oid);
      // Its name may be a later one than that of its changes, which name it themselves.
      this.#tables.set(oid, key === undefined ? undefined : { knownAs: null, ...key });
    });
  }
}
