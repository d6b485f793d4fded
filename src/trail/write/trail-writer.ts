import type pg from 'pg';
import { WaltrailError } from '../../errors.js';
import { close, destroy } from '../../pg/connect.js';
import { Conversation } from '../../pg/conversation.js';
import { formatLsn, type Lsn } from '../../pg/lsn.js';
import { quoteLiteral } from '../../pg/quote.js';
import { GIVE_UP_TICKS, Silence } from '../../pg/silence.js';
import type { CommittedBatch, TrailSession, TransactionEnd } from '../../pipeline/ports.js';
import { Boundary, type EndedTransaction } from './boundary.js';
import { storeLookupTables, type Checkpoint } from './checkpoint.js';
import type { ChunkIndex } from './chunk-index.js';
import { COPY_HEADER, COPY_TRAILER } from './copy-format.js';
import { TrailDictionary } from './dictionary.js';
import { catchUpIndex } from './catch-up.js';
import { ENTRY_COLUMNS } from './row-layout.js';
import { EntryRowBuffer } from './rows.js';
import { dayAt, dayOfId } from '../entry-id.js';
import { trailError } from '../trail-error.js';

/**
 * Largest number of new dictionary rows that wait in memory for the commit. If a transaction adds more, they
 * are stored before the commit.
 */
const MAX_PENDING_DICTIONARY = 4_000;

/** Bytes that each waiting dictionary row counts in the decision whether to send. */
const DICTIONARY_ROW_BYTES = 32;
const CONTEXT_TABLE = 'trail.context (id, context)';
/** Longest time in milliseconds in which a socket accepts bytes that fit into its buffer. */
const AT_ONCE_MS = 20;

export interface TrailWriterOptions {
  /** Client from {@link elect}, which holds the election lock. The writer takes ownership of it. */
  readonly client: pg.Client;
  readonly checkpoint: Checkpoint;
  /** Lookup tables with names that are held in memory. */
  readonly held: ReadonlySet<string>;
  /** Every lookup table, and whether its rows belong to tenants. */
  readonly lookupTables: ReadonlyMap<string, boolean>;
  /** Milliseconds between two checks that the trail still answers. */
  readonly tickMs: number;
  /** Called once, with the first error. */
  readonly failed: (error: WaltrailError) => void;
}

/**
 * The only writer of a trail. It numbers entries, keeps dictionaries, stores entries by COPY, and moves the
 * checkpoint in the same transaction. Any error ends the writer. The next writer starts from the durable
 * state.
 *
 * Entries are sent when they arrive, even while a commit is unanswered, so that the server can process them
 * as soon as possible. At most one commit is unanswered at a time. If it fails, the entries sent after it
 * therefore cannot become durable (DECISIONS 29).
 */
export class TrailWriter implements TrailSession {
  readonly rows: EntryRowBuffer;
  readonly dictionary: TrailDictionary;
  readonly lastCommittedAt: bigint | null;
  readonly #index: ChunkIndex;
  /** Time of the trail's clock when the clock of `performance` was at 0. */
  readonly #trailZeroMs: number;
  readonly #client: pg.Client;
  readonly #server: Conversation;
  readonly #source: string;
  readonly #failed: (error: WaltrailError) => void;
  #checkpointLsn: Lsn;
  #checkpointId: bigint;
  readonly #boundary = new Boundary();
  /** End LSN of the last commit that was sent. */
  #sentLsn: Lsn;
  /** Statements to be executed with the next commit. */
  #statements: string[] = [];
  #copying = false;
  /** Number of entries sent since the last commit. */
  #sentEntries = 0;
  /**
   * Whether rows after the boundary were sent. A commit would then store an incomplete source transaction.
   */
  #torn = false;
  /** Number of entries in the unanswered commit. */
  #committingEntries = 0;
  #busy = false;
  /** Bytes that the socket has not accepted yet. */
  #unsentBytes = 0;
  #drained: () => void = () => undefined;
  #failure: WaltrailError | undefined;
  readonly #silence = new Silence();
  readonly #watch: NodeJS.Timeout;

  private constructor(
    options: TrailWriterOptions & {
      readonly rows: EntryRowBuffer;
      readonly dictionary: TrailDictionary;
      readonly index: ChunkIndex;
      readonly trailNowMs: number;
    },
  ) {
    const { checkpoint } = options;
    this.rows = options.rows;
    this.dictionary = options.dictionary;
    this.lastCommittedAt = checkpoint.lastCommittedAt;
    this.#index = options.index;
    this.#trailZeroMs = options.trailNowMs - performance.now();
    this.#client = options.client;
    this.#server = new Conversation(options.client, (error) => this.#fail(error));
    this.#source = checkpoint.source;
    this.#failed = options.failed;
    this.#checkpointLsn = checkpoint.endLsn;
    this.#checkpointId = checkpoint.nextId;
    this.#sentLsn = checkpoint.endLsn;
    this.#client.on('error', (error) => this.#fail(error));
    this.#client.on('end', () => this.#fail(undefined));
    this.#watch = setInterval(() => this.#tick(options.tickMs), options.tickMs);
    this.#watch.unref();
    this.#startDayIfNew();
  }

  static async open(options: TrailWriterOptions): Promise<TrailWriter> {
    const rows = new EntryRowBuffer({ nextId: options.checkpoint.nextId });
    try {
      await storeLookupTables(options.client, options.lookupTables);
      const dictionary = await TrailDictionary.load(options.client, {
        held: options.held,
        lookupTables: options.lookupTables,
        nextId: () => rows.nextId,
      });
      const index = await catchUpIndex(options.client);
      const trailNowMs = await readClock(options.client);
      return new TrailWriter({ ...options, rows, dictionary, index, trailNowMs });
    } catch (error) {
      throw trailError(error);
    }
  }

  get lookups(): TrailDictionary['lookups'] {
    return this.dictionary.lookups;
  }

  get checkpointLsn(): Lsn {
    return this.#checkpointLsn;
  }

  get boundaryLsn(): Lsn {
    const { endLsn } = this.#boundary;
    return endLsn > this.#sentLsn ? endLsn : this.#sentLsn;
  }

  get unsentBytes(): number {
    return this.rows.bytes + this.rows.contextBytes + this.dictionary.pending * DICTIONARY_ROW_BYTES;
  }

  get pendingBytes(): number {
    return this.rows.bytes + this.rows.contextBytes + this.#unsentBytes;
  }

  get pendingEntries(): number {
    return this.rows.entries + this.#sentEntries + this.#committingEntries;
  }

  get busy(): boolean {
    return this.#busy;
  }

  get committable(): boolean {
    if (this.#torn) return false;
    const { endLsn, entries } = this.#boundary;
    return endLsn > this.#sentLsn || entries > 0 || this.#statements.length > 0;
  }

  onDrain(callback: () => void): void {
    this.#drained = callback;
  }

  boundary(bytes: Buffer, at: number, { byClock, begun }: TransactionEnd): void {
    this.#torn = false;
    this.#boundary.set(this.rows, { bytes, at, byClock, begun });
  }

  between(statement: string | null): void {
    this.#boundary.extend(this.rows, this.#sentLsn);
    if (statement !== null) this.#statements.push(statement);
  }

  spill(): void {
    this.#throwFailure();
    if (this.#boundary.bytes > 0) {
      this.#send(this.#boundary.bytes, this.#boundary.entries);
      this.#boundary.sent();
    } else if (!this.committable) {
      this.#send(this.rows.bytes, this.rows.entries);
      this.#torn = true;
      if (this.dictionary.pending >= MAX_PENDING_DICTIONARY) this.#storeDictionary();
    }
  }

  async commit(): Promise<CommittedBatch> {
    this.#throwFailure();
    const { bytes, entries, endLsn, committedAt, byClock, last } = this.#boundary;
    const nextId = this.rows.nextId - BigInt(this.rows.entries - entries);
    this.#send(bytes, entries);
    this.#boundary.sent();
    this.#endCopy();
    const stored = this.#sentEntries;
    const statements = [
      ...this.dictionary.takeStatements(nextId),
      this.#advance({ endLsn, nextId, entries: stored, committedAt, last }),
      ...this.#statements.splice(0),
    ];
    this.#sentEntries = 0;
    this.#committingEntries = stored;
    this.#sentLsn = endLsn;
    if (this.rows.bytes === 0) this.#startDayIfNew();
    await this.#confirmed(this.#server.commit(statements));
    this.#committingEntries = 0;
    this.#checkpointLsn = endLsn;
    this.#checkpointId = nextId;
    return { endLsn, entries: stored, committedAt: byClock ? committedAt : null };
  }

  async skipTo(lsn: Lsn): Promise<void> {
    this.#throwFailure();
    const skip = this.#advance({
      endLsn: lsn,
      nextId: this.#checkpointId,
      entries: 0,
      committedAt: null,
      last: null,
    });
    this.#sentLsn = lsn;
    await this.#confirmed(this.#server.say(skip));
    this.#checkpointLsn = lsn;
  }

  /**
   * Closes the connection, which also releases the election lock. Uncommitted entries are not in the trail.
   */
  async close(): Promise<void> {
    this.#failure ??= new WaltrailError('TRAIL_DISCONNECTED', 'The trail session is closed.');
    clearInterval(this.#watch);
    // While a COPY is open, a graceful end would wait for its data. The server rolls back in both cases.
    destroy(this.#client);
    await close(this.#client);
  }

  /** Waits for the answer to the statement that moves the checkpoint. Until then nothing else may move it. */
  async #confirmed(answer: Promise<void>): Promise<void> {
    this.#busy = true;
    try {
      await answer;
    } catch (error) {
      throw this.#fail(error);
    } finally {
      this.#busy = false;
      this.#silence.heard();
    }
  }

  /**
   * Checks that the trail still answers. Without this check, the writer would wait for a lost answer, or for
   * bytes to be accepted, until TCP gives up.
   */
  #tick(tickMs: number): void {
    if (!this.#busy && this.#unsentBytes === 0) return this.#silence.heard();
    if (this.#silence.tick() !== 'give up') return;
    this.#fail(
      new WaltrailError(
        'TRAIL_DISCONNECTED',
        `The trail has not answered for ${(GIVE_UP_TICKS * tickMs) / 1000} s.`,
      ),
    );
  }

  #send(bytes: number, entries: number): void {
    const data = this.rows.take(bytes, entries);
    if (data === null) return;
    if (!this.#copying) {
      this.#copying = true;
      this.#beginCopy(`trail.entry (${ENTRY_COLUMNS.join(', ')})`);
    }
    this.#sentEntries += entries;
    this.#index.addFrame(data);
    this.#sendData(data, () => this.rows.recycle(data));
    // Sent here so that they are stored in the transaction of the chunk's last entry.
    for (const { table, frames } of this.#index.takeComplete())
      this.#sendTable(table, { frames, sent: (data) => this.#index.recycle(data) });
    const contexts = this.rows.takeContexts();
    if (contexts.length > 0) this.#sendTable(CONTEXT_TABLE, { frames: contexts });
  }

  /** Sends complete rows of a table other than `trail.entry`. */
  #sendTable(
    table: string,
    rows: { readonly frames: readonly Buffer[]; readonly sent?: (data: Buffer) => void },
  ): void {
    this.#endCopy();
    this.#beginCopy(table);
    for (const data of rows.frames) this.#sendData(data, () => rows.sent?.(data));
    this.#finishCopy();
  }

  #beginCopy(table: string): void {
    this.#inTransaction(`copy ${table} from stdin (format binary)`);
    this.#server.copyData(COPY_HEADER);
  }

  #sendData(data: Buffer, sent?: () => void): void {
    this.#unsentBytes += data.length;
    const sentAt = performance.now();
    this.#server.copyData(data, () => {
      this.#unsentBytes -= data.length;
      // While a commit is unanswered, only bytes that had to wait show that the server is alive. A local
      // socket buffer with room accepts bytes even if the server never answers.
      if (!this.#busy || performance.now() - sentAt > AT_ONCE_MS) this.#silence.heard();
      sent?.();
      this.#drained();
    });
  }

  #storeDictionary(): void {
    this.#endCopy();
    const statements = this.dictionary.takeStatements(this.rows.nextId);
    if (statements.length > 0) this.#inTransaction(statements.join('; '));
  }

  /** Executes statements in the open transaction. A later commit makes them durable. */
  #inTransaction(sql: string): void {
    // The conversation reports errors.
    this.#server.within(sql).catch(() => undefined);
  }

  #endCopy(): void {
    if (!this.#copying) return;
    this.#copying = false;
    this.#finishCopy();
  }

  #finishCopy(): void {
    this.#server.copyData(COPY_TRAILER);
    this.#server.endCopy();
  }

  #advance(to: {
    readonly endLsn: Lsn;
    readonly nextId: bigint;
    readonly entries: number;
    readonly committedAt: bigint | null;
    readonly last: EndedTransaction | null;
  }): string {
    const committedAt =
      to.committedAt === null
        ? 'null'
        : `timestamptz '2000-01-01 00:00:00+00' + interval '${to.committedAt} microseconds'`;
    const last =
      to.last === null
        ? ''
        : `, '${formatLsn(to.last.endLsn)}', '${formatLsn(to.last.commitLsn)}', '${to.last.sentAt}'`;
    return (
      `select trail.advance(${quoteLiteral(this.#source)}, '${formatLsn(this.#checkpointLsn)}', ${this.#checkpointId}, ` +
      `'${formatLsn(to.endLsn)}', ${to.nextId}, ${to.entries}, ${committedAt}${last})`
    );
  }

  /**
   * Begins a new day if it has changed. Entries are numbered within the day on which they are stored
   * (sql/trail/0001_trail.sql). If the clock of this process is ahead by days, the trail has no partition for
   * its day, so the day is at most the one after the trail's.
   */
  #startDayIfNew(): void {
    const trailDay = dayAt(this.#trailZeroMs + performance.now());
    const today = Math.min(dayAt(Date.now()), trailDay + 1);
    if (today <= dayOfId(this.rows.nextId)) return;
    this.rows.startDay(today);
  }

  #throwFailure(): void {
    if (this.#failure !== undefined) throw this.#failure;
  }

  #fail(error: unknown): WaltrailError {
    if (this.#failure === undefined) {
      this.#failure = trailError(error);
      this.#failed(this.#failure);
    }
    return this.#failure;
  }
}

/** Reads the clock of the trail's server, in milliseconds since 1970. */
async function readClock(client: pg.Client): Promise<number> {
  const { rows } = await client.query<{ ms: number }>(
    /* sql */ `select (extract(epoch from pg_catalog.clock_timestamp()) * 1000)::float8 as ms`,
  );
  return rows[0]!.ms;
}
