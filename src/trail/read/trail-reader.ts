import type pg from 'pg';
import type { Answer } from '../../api/answers.js';
import { MAX_ENTRY_ID } from '../entry-id.js';
import { makeCursor, readCursor, readId } from './cursor.js';
import { decodeRows } from './decode.js';
import { ReaderDictionaries } from './dictionaries.js';
import type {
  Entry,
  EntryBatch,
  EntryFilter,
  EntryPage,
  Scope,
  TailBatch,
  TrailCoverage,
  TrailHead,
  UnboundedFilter,
} from './entry.js';
import type { FacetListName } from './facet-list.js';
import { countEntries, countFacetList, countFacets } from './facets.js';
import { storedFilter, tenantId, type StoredFilter } from './filter.js';
import { countGaps, findGaps, type GapsInRange, type VersionedGapCounts } from './gap-list.js';
import { readRow, type EntryRow } from './entry-row.js';
import { readRowBatch, type RowBatch } from './row-batch.js';
import { RowBytes } from './row-bytes.js';
import { walkEntries } from './walk.js';
import type { TimeRange } from './range.js';
import { withSnapshot, type Plans, type Snapshot, type Turns } from './snapshot.js';

const MAX_PAGE = 500;
const STATEMENT_TIMEOUT_MS = 15_000;
/** Values of each list of facets, where nobody says otherwise. */
const USUAL_FACETS = 100;
const NO_MORE = { values: 0, entries: 0 };
const NO_FACETS: Answer<'Facets'> = {
  modifiers: [],
  actingAs: [],
  actions: [],
  entityTypes: [],
  tenants: [],
  more: {
    modifiers: NO_MORE,
    actingAs: NO_MORE,
    actions: NO_MORE,
    entityTypes: NO_MORE,
    tenants: NO_MORE,
  },
};

export interface TrailReaderOptions {
  /** Connections to the trail; the role waltrail_reader suffices. */
  readonly pool: pg.Pool;
  /** Limit of a statement, beyond which it ends with TRAIL_QUERY_TIMEOUT. 15 s by default. */
  readonly statementTimeoutMs?: number;
  /** Rows of a batch of `walkRows` at most; as many as files are written from by default. */
  readonly batchRows?: number;
}

/** What one snapshot says of the trail as a whole. */
export interface TrailStanding {
  readonly head: TrailHead;
  readonly coverage: TrailCoverage;
  readonly gaps: VersionedGapCounts;
  /** The shortest retention that is carried out, in days; null: nothing is dropped. */
  readonly retentionFloor: number | null;
}

/**
 * Reads the trail: pages, single entries, counts, live tails, whole walks and gaps, newest first unless said
 * otherwise. Every call sees one consistent state of the trail. A value that the trail does not know finds
 * nothing; that is not an error. Every method may throw TRAIL_QUERY_TIMEOUT, and what the driver throws when
 * the trail cannot be reached.
 */
export class TrailReader {
  readonly #pool: pg.Pool;
  readonly #timeoutMs: number;
  readonly #batchRows: number;
  #dictionaries = new ReaderDictionaries();
  #turns: Turns = (work) => work();

  constructor(options: TrailReaderOptions) {
    this.#pool = options.pool;
    this.#timeoutMs = options.statementTimeoutMs ?? STATEMENT_TIMEOUT_MS;
    this.#batchRows = options.batchRows ?? MAX_BATCH_ROWS;
  }

  /** Returns a reader of the same trail whose searches for a text take turns with other long reads. */
  inTurns(turns: Turns): TrailReader {
    const reader = new TrailReader({
      pool: this.#pool,
      statementTimeoutMs: this.#timeoutMs,
      batchRows: this.#batchRows,
    });
    reader.#dictionaries = this.#dictionaries;
    reader.#turns = turns;
    return reader;
  }

  /** Reads at most `limit` (1 to 500) entries. Throws TRAIL_CURSOR_INVALID. */
  async page(
    filter: EntryFilter,
    options: { readonly limit: number; readonly cursor?: string | undefined },
  ): Promise<EntryPage> {
    return this.#page(filter, options);
  }

  /**
   * Reads one entry; undefined if there is none with that id, whatever the id looks like, or none that a
   * reader of the scope sees.
   */
  async entry(id: string, { scope = null }: { readonly scope?: Scope } = {}): Promise<Entry | undefined> {
    if (!/^\d{1,19}$/.test(id) || BigInt(id) > MAX_ENTRY_ID) return undefined;
    return this.#snapshot('fresh', async (snapshot) => {
      const row = await readRow(snapshot, BigInt(id));
      if (row === undefined || !(await isInScope(row, scope, snapshot))) return undefined;
      return (await decodeRows([row], { ...snapshot, scope }))[0];
    });
  }

  /**
   * Reads everything that happened to one entity, in all the time that the trail covers. Throws
   * TRAIL_CURSOR_INVALID.
   */
  async history(options: {
    readonly type: string;
    readonly id: string;
    readonly limit: number;
    readonly cursor?: string | undefined;
    readonly scope?: Scope;
  }): Promise<EntryPage> {
    const { type, id, scope = null } = options;
    return this.#page({ entityTypes: [type], entity: id, scope }, options);
  }

  /** Counts the values in the lists beside a page; each list ignores its own filter. */
  async facets(
    filter: EntryFilter,
    { limit = USUAL_FACETS }: { readonly limit?: number } = {},
  ): Promise<Answer<'Facets'>> {
    return this.#snapshot('fresh', async (snapshot) => {
      const stored = await storedFilter(filter, snapshot);
      return stored === undefined ? NO_FACETS : countFacets(snapshot, { filter: stored, limit });
    });
  }

  /**
   * Counts the values of one of these lists whose text has every word of a search; undefined: all of them. A
   * list, whichever it is, ends after `limit` values, and says how many more there are.
   */
  async facetList(
    filter: EntryFilter,
    options: {
      readonly list: FacetListName;
      readonly limit: number;
      readonly search: string | undefined;
    },
  ): Promise<Answer<'FacetList'>> {
    return this.#snapshot('fresh', async (snapshot) => {
      const stored = await storedFilter(filter, snapshot);
      return stored === undefined
        ? { items: [], more: NO_MORE }
        : countFacetList(snapshot, { filter: stored, ...options });
    });
  }

  /** Counts the entries of the filter with ids below `below`. Throws TRAIL_CURSOR_INVALID. */
  async count(filter: EntryFilter, options: { readonly below: string }): Promise<number> {
    const below = readId(options.below);
    return this.#snapshot('fresh', async (snapshot) => {
      const stored = await storedFilter(filter, snapshot);
      return stored === undefined ? 0 : countEntries(snapshot, { filter: stored, below });
    });
  }

  /**
   * Reads the first `limit` entries after `id`, oldest first, or fewer if they are large. For live streams.
   * With `stretch` it looks at no more than so many ids, counted from the first entry after `id`, so that one
   * read is bounded however rare a match is. Throws TRAIL_CURSOR_INVALID.
   */
  async after(
    filter: UnboundedFilter,
    options: { readonly id: string; readonly limit: number; readonly stretch?: number },
  ): Promise<TailBatch> {
    const above = readId(options.id) + 1n;
    return this.#snapshot('kept', async (snapshot) => {
      const end = snapshot.head === undefined ? 0n : BigInt(snapshot.head.nextId);
      // The usual answer of a live stream that waits: there is nothing new, and only the checkpoint was read.
      if (end <= above) return { items: [], more: false, through: options.id };
      const stored = await storedFilter(filter, snapshot);
      if (stored === undefined) return { items: [], more: false, through: String(end - 1n) };
      const { stretch } = options;
      const below =
        stretch === undefined ? end : await endOfStretch(snapshot, { above, end, stretch: BigInt(stretch) });
      const { items, more } = await this.#entries(snapshot, {
        filter: stored,
        scope: filter.scope ?? null,
        above,
        below,
        order: 'asc',
        limit: options.limit,
      });
      return {
        items,
        more: more || below < end,
        through: more ? items.at(-1)!.id : String(below - 1n),
      };
    });
  }

  /**
   * Reads the commit time of the first entry after `id`, whatever it is about; undefined if there is none.
   * Throws TRAIL_CURSOR_INVALID.
   */
  async firstCommitAfter(id: string): Promise<string | undefined> {
    const above = readId(id) + 1n;
    return this.#snapshot('kept', async (snapshot) => {
      const rows = await firstRows(snapshot, above);
      return (await decodeRows(rows, { ...snapshot, scope: null }))[0]?.committedAt;
    });
  }

  /**
   * Yields the rows of the filter with ids below `below` (the `nextId` of a head that was read before: the
   * frozen end), newest first, for files: as the bytes that the trail sends. Holds no connection between
   * batches; entries that are stored meanwhile have greater ids and do not matter. Each batch is read by a
   * snapshot of its own, while the caller works on the one before.
   */
  async *walkRows(
    filter: EntryFilter,
    options: { readonly below: string; readonly withContexts: boolean },
  ): AsyncGenerator<RowBatch, void, undefined> {
    // One batch is read while the other is in use. Their memory is used again and again: to fault in and to
    // collect that of every batch takes longer than to copy the rows.
    let [rows, other] = [new RowBytes(), new RowBytes()];
    const read = (below: bigint): Promise<RowsRead> => {
      [rows, other] = [other, rows];
      const reading = this.#rows(filter, { ...options, below, rows });
      // Whoever stops early does not wait for it, and an error is thrown where it is waited for.
      reading.catch(() => undefined);
      return reading;
    };
    let reading: Promise<RowsRead> | undefined = read(readId(options.below));
    while (reading !== undefined) {
      const { batch, next }: RowsRead = await reading;
      reading = next === undefined ? undefined : read(next);
      if (batch !== undefined) yield batch;
    }
  }

  /** Reads how far the trail goes. Before the trail has begun, the head is empty. */
  async head(): Promise<TrailHead> {
    return this.#snapshot('fresh', (snapshot) => snapshot.head ?? NOT_BEGUN);
  }

  /** Reads how far the trail goes, what it covers and lacks, and what retention is carried out at least. */
  async standing(): Promise<TrailStanding> {
    return this.#snapshot('fresh', async ({ client, query, head, coverage }) => {
      const { rows } = await query<{ days: number }>(/* sql */ `select days from trail.retention_floor`, []);
      return {
        head: head ?? NOT_BEGUN,
        coverage,
        gaps: await countGaps(client),
        retentionFloor: rows[0]?.days ?? null,
      };
    });
  }

  /** Reads what the trail may lack in a range of commit time: at most `limit` gaps, newest first. */
  async gaps(range: TimeRange, options: { readonly limit: number }): Promise<GapsInRange> {
    return this.#snapshot('fresh', async ({ client, coverage }) => ({
      ...(await findGaps(client, { range, limit: options.limit })),
      coverage,
    }));
  }

  /** Counts the gaps of the trail, and reads the newest and the version of the list. */
  async gapCounts(): Promise<VersionedGapCounts> {
    return this.#snapshot('fresh', ({ client }) => countGaps(client));
  }

  async #page(
    filter: UnboundedFilter & Partial<EntryFilter>,
    options: { readonly limit: number; readonly cursor?: string | undefined },
  ): Promise<EntryPage> {
    const limit = Math.min(Math.max(Math.trunc(options.limit), 1), MAX_PAGE);
    const below = options.cursor === undefined ? MAX_ENTRY_ID : readCursor(options.cursor, filter);
    return this.#snapshot('kept', async (snapshot) => {
      const stored = await storedFilter(filter, snapshot);
      const { coverage } = snapshot;
      if (stored === undefined) return { items: [], next: null, coverage };
      // One row more than requested tells whether there is a next page. So does a walk that ended earlier to
      // save memory.
      const { rows, more } = await walkEntries(snapshot, {
        filter: stored,
        above: 0n,
        below,
        order: 'desc',
        limit: limit + 1,
      });
      const items = await decodeRows(rows.slice(0, limit), { ...snapshot, scope: filter.scope ?? null });
      return { items, next: more ? makeCursor(items.at(-1)!.id, filter) : null, coverage };
    });
  }

  async #entries(
    snapshot: Snapshot,
    walk: {
      readonly filter: StoredFilter;
      readonly scope: Scope;
      readonly above: bigint;
      readonly below: bigint;
      readonly order: 'asc' | 'desc';
      readonly limit: number;
    },
  ): Promise<EntryBatch> {
    const { rows, more } = await walkEntries(snapshot, walk);
    return { items: await decodeRows(rows, { ...snapshot, scope: walk.scope }), more };
  }

  #rows(
    filter: EntryFilter,
    options: { readonly below: bigint; readonly withContexts: boolean; readonly rows: RowBytes },
  ): Promise<RowsRead> {
    return this.#snapshot('fresh', async (snapshot) => {
      const stored = await storedFilter(filter, snapshot);
      if (stored === undefined) return { batch: undefined, next: undefined };
      const { below, withContexts, rows } = options;
      const walk = { filter: stored, above: 0n, below, order: 'desc', limit: this.#batchRows } as const;
      const { batch, more } = await readRowBatch(snapshot, {
        walk,
        scope: filter.scope ?? null,
        withContexts,
        rows,
      });
      if (batch.count === 0) return { batch: undefined, next: undefined };
      if (!more) return { batch, next: undefined };
      batch.rows.goTo(batch.count - 1);
      return { batch, next: batch.rows.id };
    });
  }

  #snapshot<T>(plans: Plans, work: (snapshot: Snapshot) => T | Promise<T>): Promise<T> {
    return withSnapshot(
      {
        pool: this.#pool,
        dictionaries: this.#dictionaries,
        timeoutMs: this.#timeoutMs,
        plans,
        turns: this.#turns,
      },
      async (snapshot) => work(snapshot),
    );
  }
}

/** Reads the first row with an id of at least `above`, whatever it is about; none if there is none. */
async function firstRows(snapshot: Snapshot, above: bigint): Promise<readonly EntryRow[]> {
  const filter = await storedFilter({}, snapshot);
  if (filter === undefined) return [];
  return (await walkEntries(snapshot, { filter, above, below: MAX_ENTRY_ID, order: 'asc', limit: 1 })).rows;
}

/** Returns the id below which a stretch ends. Days leave wide holes between ids, which it passes over. */
async function endOfStretch(
  snapshot: Snapshot,
  { above, end, stretch }: { readonly above: bigint; readonly end: bigint; readonly stretch: bigint },
): Promise<bigint> {
  if (end - above <= stretch) return end;
  const [first] = await firstRows(snapshot, above);
  if (first === undefined) return end;
  const last = BigInt(first.id) + stretch;
  return last < end ? last : end;
}

async function isInScope(
  row: { readonly tenant_id: number; readonly previous_tenant_id: number | null },
  scope: Scope,
  snapshot: Snapshot,
): Promise<boolean> {
  if (scope === null) return true;
  const tenant = await tenantId(scope, snapshot);
  return tenant !== undefined && (row.tenant_id === tenant || row.previous_tenant_id === tenant);
}

/** Rows of a batch for a file: some megabytes. A statement is planned for each batch. */
const MAX_BATCH_ROWS = 8_192;

interface RowsRead {
  /** Undefined: no row is found. */
  readonly batch: RowBatch | undefined;
  /** Where the walk continues; undefined: nowhere. */
  readonly next: bigint | undefined;
}

const NOT_BEGUN: TrailHead = {
  source: '',
  startLsn: '0/0',
  endLsn: '0/0',
  nextId: '0',
  entries: 0,
  lastCommittedAt: null,
};
