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
/** Default number of values in each list of facets. */
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
  /** Connections to the trail. The role waltrail_reader suffices. */
  readonly pool: pg.Pool;
  /** Time limit of a statement, after which it fails with TRAIL_QUERY_TIMEOUT; 15 s by default. */
  readonly statementTimeoutMs?: number;
  /** Largest number of rows in a batch of `walkRows`. The default suits files. */
  readonly batchRows?: number;
}

/** State of the trail as a whole in one snapshot. */
export interface TrailStanding {
  readonly head: TrailHead;
  readonly coverage: TrailCoverage;
  readonly gaps: VersionedGapCounts;
  /** Minimum retention in days; null: nothing is dropped. */
  readonly retentionFloor: number | null;
}

/**
 * Reads the trail: pages, single entries, counts, live tails, complete walks and gaps. The order is newest
 * first unless stated otherwise. Every call sees one consistent state of the trail. A value that the trail
 * does not know finds nothing, and is not an error. Every method may throw TRAIL_QUERY_TIMEOUT, and the
 * driver's errors if the trail cannot be reached.
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

  /** Returns a reader of the same trail. Its searches for a text take turns with other long reads. */
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
   * Reads one entry. Returns undefined if the id is malformed, if no entry has it, or if a reader in the
   * scope may not see the entry.
   */
  async entry(id: string, { scope = null }: { readonly scope?: Scope } = {}): Promise<Entry | undefined> {
    if (!/^\d{1,19}$/.test(id) || BigInt(id) > MAX_ENTRY_ID) return undefined;
    return this.#snapshot('fresh', async (snapshot) => {
      const row = await readRow(snapshot, BigInt(id));
      if (row === undefined || !(await isInScope(row, scope, snapshot))) return undefined;
      return (await decodeRows([row], { ...snapshot, scope }))[0];
    });
  }

  /** Reads all entries of one entity in the time that the trail covers. Throws TRAIL_CURSOR_INVALID. */
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

  /** Counts the values in the facet lists beside a page. Each list ignores its own filter. */
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
   * Counts the values of one facet list. With `search`, it counts only values that match every word. The list
   * ends after `limit` values, and has the number of further values.
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
   * `stretch` limits the number of ids that are examined, counted from the first entry after `id`. One read
   * is therefore bounded even if matches are rare. Throws TRAIL_CURSOR_INVALID.
   */
  async after(
    filter: UnboundedFilter,
    options: { readonly id: string; readonly limit: number; readonly stretch?: number },
  ): Promise<TailBatch> {
    const above = readId(options.id) + 1n;
    return this.#snapshot('kept', async (snapshot) => {
      const end = snapshot.head === undefined ? 0n : BigInt(snapshot.head.nextId);
      // The usual case of a waiting live stream: nothing is new, and only the checkpoint was read.
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
   * Reads the commit time of the first entry after `id`, without a filter. Returns undefined if there is
   * none. Throws TRAIL_CURSOR_INVALID.
   */
  async firstCommitAfter(id: string): Promise<string | undefined> {
    const above = readId(id) + 1n;
    return this.#snapshot('kept', async (snapshot) => {
      const rows = await firstRows(snapshot, above);
      return (await decodeRows(rows, { ...snapshot, scope: null }))[0]?.committedAt;
    });
  }

  /**
   * Yields the rows of the filter with ids below `below`, newest first, as the bytes that the trail sends.
   * For files. `below` is the frozen end: the `nextId` of a head that was read before. No connection is held
   * between batches. Each batch is read in its own snapshot, while the caller works on the previous one.
   * Entries that are stored during the walk have greater ids, so they do not appear.
   */
  async *walkRows(
    filter: EntryFilter,
    options: { readonly below: string; readonly withContexts: boolean },
  ): AsyncGenerator<RowBatch, void, undefined> {
    // One batch is read while the other is in use. Their memory is reused, because page faults and garbage
    // collection for every batch would take longer than copying the rows.
    let [rows, other] = [new RowBytes(), new RowBytes()];
    const read = (below: bigint): Promise<RowsRead> => {
      [rows, other] = [other, rows];
      const reading = this.#rows(filter, { ...options, below, rows });
      // A caller that stops early never awaits this read. Otherwise the error is thrown where the read is
      // awaited.
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

  /** Reads how far the trail reaches. Before the trail has begun, the head is empty. */
  async head(): Promise<TrailHead> {
    return this.#snapshot('fresh', (snapshot) => snapshot.head ?? NOT_BEGUN);
  }

  /** Reads how far the trail reaches, its coverage and gaps, and the minimum retention. */
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

  /** Reads at most `limit` gaps in a range of commit time, newest first. */
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
      // One row more than requested shows that there is a next page. A walk that ended early to save memory
      // shows it too.
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

/**
 * Reads the first row with an id of at least `above`, without a filter. Returns an empty list if there is
 * none.
 */
async function firstRows(snapshot: Snapshot, above: bigint): Promise<readonly EntryRow[]> {
  const filter = await storedFilter({}, snapshot);
  if (filter === undefined) return [];
  return (await walkEntries(snapshot, { filter, above, below: MAX_ENTRY_ID, order: 'asc', limit: 1 })).rows;
}

/** Returns the id below which a stretch ends. Skips the unused ids between two days. */
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

/** Largest number of rows in a batch for a file: some megabytes. A statement is planned for each batch. */
const MAX_BATCH_ROWS = 8_192;

interface RowsRead {
  /** Undefined: no row was found. */
  readonly batch: RowBatch | undefined;
  /** Id below which the walk continues; undefined: the walk has ended. */
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
