import type pg from 'pg';
import { WaltrailError } from '../errors.js';
import { copyBinary } from '../pg/copy-binary.js';
import { isServerGone, sqlStateOf } from '../pg/sql-state.js';
import { BLOCK_CHUNKS, blockOfChunk } from '../trail/entry-id.js';
import { BlockChecks } from './block-checks.js';
import { ChunkChecks } from './chunk-checks.js';
import { inPart, partAt, readCounters, type Counters, type Part } from './counters.js';
import { EntryChecks } from './entry-checks.js';
import { Findings, type Finding, type FindingKind } from './findings.js';
import { ListChecks } from './list-checks.js';
import { checkGaps, PresenceChecks } from './presence-checks.js';
import { References } from './references.js';
import { RowCounts } from './row-counts.js';
import { CHECKED_COLUMNS, Stretch } from './stretch.js';
import { readSummaries, type Summary } from './summaries.js';

/** The result of a check: what was compared, and what does not agree. */
export interface QuickReport {
  readonly checked: {
    readonly entries: number;
    readonly days: number;
    /** Chunks whose posting lists and summary were checked. */
    readonly chunks: number;
    /** Rows of `trail.posting`. */
    readonly postingRows: number;
    /** Blocks whose summaries, also by value, were checked. */
    readonly blocks: number;
    /** Complete blocks that housekeeping has not summarized yet. */
    readonly blocksWaiting: number;
  };
  readonly findings: {
    readonly total: number;
    readonly byKind: Readonly<Partial<Record<FindingKind, number>>>;
    /** The first of them. */
    readonly listed: readonly Finding[];
  };
}

export interface QuickOptions {
  /** A connected client of a reader of the trail, without a running statement. */
  readonly client: pg.Client;
  /** Called after each part with the number of entries that were checked so far. */
  readonly progress: (entries: number) => void;
}

/**
 * Compares the trail's data about its entries with the entries themselves: counters, gapless ids, order,
 * references, posting lists and summaries. No value of an entry is read.
 *
 * It reads at most 131,072 entries at a time, each time in a separate transaction. Stored entries do not
 * change, so no snapshot has to be held for minutes, and capture, housekeeping and retention continue. It
 * ends with the last entry that is stored by then. Throws TRAIL_READ_FAILED, and what the driver throws when
 * the connection is lost.
 */
export async function verifyQuick(options: QuickOptions): Promise<QuickReport> {
  const run = new QuickRun(options);
  try {
    for (let fromId: bigint | null | undefined = null; fromId !== undefined;) fromId = await run.part(fromId);
  } catch (error) {
    throw readError(error);
  }
  return run.report();
}

function readError(error: unknown): unknown {
  const sqlState = sqlStateOf(error);
  if (sqlState === undefined || isServerGone(sqlState)) return error;
  return new WaltrailError('TRAIL_READ_FAILED', `The trail cannot be read (SQLSTATE ${sqlState}).`, {
    cause: error,
  });
}

/**
 * Begins the transaction of a part. The lock is taken before the snapshot, so that the days of the snapshot
 * keep their partitions until the end of the transaction. Retention waits up to 2 s for the lock, longer than
 * a part takes. Entries are found by their id, as readers find them.
 */
const BEGIN = `begin isolation level repeatable read, read only;
  set local statement_timeout = 0; set local jit = off; set local max_parallel_workers_per_gather = 0;
  set local enable_seqscan = off; set local enable_bitmapscan = off;
  lock table only trail.entry in access share mode`;

class QuickRun {
  readonly #options: QuickOptions;
  readonly #findings = new Findings();
  readonly #stretch = new Stretch();
  readonly #references = new References(this.#findings);
  readonly #presence = new PresenceChecks(this.#findings, this.#stretch);
  readonly #entries = new EntryChecks(this.#findings, this.#references);
  readonly #lists = new ListChecks(this.#findings, this.#stretch);
  readonly #chunks = new ChunkChecks({
    findings: this.#findings,
    stretch: this.#stretch,
    references: this.#references,
  });
  readonly #blocks = new BlockChecks(this.#findings, this.#stretch);
  readonly #rowCounts = new RowCounts();
  readonly #days = new Set<number>();
  #checkedEntries = 0;
  #postingRows = 0;
  #checkedBlocks = 0;
  #blocksWaiting = 0;

  constructor(options: QuickOptions) {
    this.#options = options;
  }

  /**
   * Checks the part that begins at an id. Returns where the next part begins, or undefined after the last
   * one.
   */
  async part(fromId: bigint | null): Promise<bigint | undefined> {
    const { client, progress } = this.#options;
    await client.query(BEGIN);
    const counters = await readCounters(client);
    const part = partAt(counters, fromId);
    await this.#references.refresh(client);
    await this.#readEntries(part);
    await this.#presence.report(client);
    await this.#references.checkContexts(client, { day: part.bounds.day, contexts: this.#stretch.contexts });
    const summaries = await this.#readLists(part, counters);
    this.#chunks.check({ summaries, lists: this.#lists, openFrom: counters.openFrom });
    await this.#checkBlocks(part, counters);
    if (part.endId === null) await this.#checkWhole(counters);
    await client.query('commit');
    this.#checkedEntries += part.bounds.entries;
    if (part.bounds.entries > 0) this.#days.add(part.bounds.day);
    progress(this.#checkedEntries);
    return part.endId ?? undefined;
  }

  report(): QuickReport {
    const { total, byKind, listed } = this.#findings;
    return {
      checked: {
        entries: this.#checkedEntries,
        days: this.#days.size,
        chunks: this.#chunks.checked,
        postingRows: this.#postingRows,
        blocks: this.#checkedBlocks,
        blocksWaiting: this.#blocksWaiting,
      },
      findings: { total, byKind, listed },
    };
  }

  async #readEntries(part: Part): Promise<void> {
    this.#stretch.begin(part.bounds);
    await copyBinary(
      this.#options.client,
      `copy (select ${CHECKED_COLUMNS} from trail.entry where ${inPart(part)} order by id) to stdout (format binary)`,
      (row, at) => {
        if (this.#presence.take(row, at)) this.#entries.check(row, at);
      },
    );
  }

  /** Reads the lists of a part, and returns the summaries of its chunks. */
  async #readLists(part: Part, { openFrom }: Counters): Promise<ReadonlyMap<number, Summary>> {
    const { client } = this.#options;
    this.#lists.begin();
    const range = { first: part.firstChunk, end: part.endChunk };
    await copyBinary(client, ListChecks.sql(range), (row, at) => this.#lists.add(row, at));
    const { firstChunk, chunks, day } = part.bounds;
    let rows = 0;
    for (let index = 0; index < chunks && firstChunk + index < openFrom; index++)
      rows += this.#lists.rowsOf(index);
    this.#postingRows += rows;
    this.#rowCounts.add('posting', { day, rows });
    return readSummaries(client, { of: 'chunk', ...range });
  }

  async #checkBlocks(part: Part, counters: Counters): Promise<void> {
    const { client } = this.#options;
    const { firstChunk, chunks, day } = part.bounds;
    const range = {
      first: blockOfChunk(part.firstChunk),
      end: part.endChunk === null ? null : blockOfChunk(part.endChunk),
    };
    const summaries = await readSummaries(client, { of: 'block', ...range });
    let checked = 0;
    for (let index = 0; index < chunks; index += BLOCK_CHUNKS) {
      const block = blockOfChunk(firstChunk + index);
      const summary = summaries.get(block);
      if (summary !== undefined) {
        const ofBlock = { block, firstChunk: index, chunks: Math.min(BLOCK_CHUNKS, chunks - index), summary };
        this.#rowCounts.add('block_value', { day, rows: await this.#blocks.check(client, ofBlock) });
        checked++;
      } else if (block < counters.lastBlock) {
        // Housekeeping summarizes blocks in their order.
        this.#findings.add('block_summary', `Block ${block} has no summary, but later blocks have one.`);
      } else if (firstChunk + index + BLOCK_CHUNKS <= counters.openFrom) this.#blocksWaiting++;
    }
    this.#checkedBlocks += checked;
    if (checked < summaries.size)
      for (const block of summaries.keys())
        if (block < blockOfChunk(firstChunk) || block > blockOfChunk(firstChunk + chunks - 1))
          this.#findings.add(
            'block_summary',
            `trail.block has a summary of block ${block}, which has no entries.`,
          );
  }

  /** Makes the checks that are possible only after the last entry was read. */
  async #checkWhole(counters: Counters): Promise<void> {
    const { client } = this.#options;
    this.#presence.checkCounters(counters);
    if (counters.checkpoint === null) return;
    this.#entries.checkEnd(counters.checkpoint.endLsn);
    const firstDay = counters.days[0]?.day ?? 0;
    await checkGaps(client, { firstDay, findings: this.#findings });
    await client.query('set local enable_seqscan = on');
    const of = { firstDay, findings: this.#findings };
    await this.#rowCounts.check(client, { table: 'posting', end: counters.openFrom, ...of });
    await this.#rowCounts.check(client, { table: 'block_value', end: counters.lastBlock + 1, ...of });
  }
}
