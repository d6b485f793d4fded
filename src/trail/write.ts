import type pg from 'pg';
import { codeOf, isWaltrailError, WaltrailError } from '../errors.js';
import { close, connect, destroy } from '../pg/connect.js';
import { CopyIn } from '../pg/copy-in.js';
import { formatLsn, parseLsn, type Lsn } from '../pg/lsn.js';
import { quoteLiteral } from '../pg/quote.js';
import { GIVE_UP_TICKS, Silence } from '../pg/silence.js';
import type { CommitPosition, CommittedBatch, TrailSession } from '../pipeline/ports.js';
import type { Kind } from '../tracking/rules.js';
import { indexable, TrailDictionary } from './dictionary.js';
import { ENTRY_COLUMNS, EntryRowBuffer } from './rows.js';

/** Role that may insert entries and nothing else with them; see sql/trail, roles. */
export const WRITER_ROLE = 'waltrail_writer';
/** First key of the advisory lock that elects the capturing daemon of a trail. */
const ELECTION_LOCK = 0x77616c74; // "walt"
const DAY_MS = 86_400_000;
const FIRST_DAY_MS = Date.UTC(2026, 0, 1);
/** New dictionary rows wait in memory for the commit; when a transaction brings more than this, they are stored before. */
const MAX_PENDING_DICTIONARY = 4_000;

/** What a waiting dictionary row counts for when it is decided whether to send. */
const DICTIONARY_ROW_BYTES = 32;

const COPY_HEADER = frame(Buffer.concat([Buffer.from('PGCOPY\n\xff\r\n\0', 'latin1'), Buffer.alloc(8)]));
const COPY_TRAILER = frame(Buffer.from([0xff, 0xff]));

/**
 * What a database or role may have set otherwise. Acknowledged means durable, so a commit must wait for its flush; a COPY
 * lasts as long as the source's transaction, so no timeout may end it; and a host that vanished must not keep the
 * election lock for the two hours that TCP waits by default.
 */
const SESSION_SETTINGS = /* sql */ `
  select pg_catalog.set_config(name, wanted.value, false)
    from pg_catalog.pg_settings
    join (values ('synchronous_commit', 'on'), ('statement_timeout', '0'), ('idle_in_transaction_session_timeout', '0'),
                 ('transaction_timeout', '0'), ('idle_session_timeout', '0'),
                 ('tcp_keepalives_idle', '15'), ('tcp_keepalives_interval', '5'), ('tcp_keepalives_count', '3')) as wanted (name, value)
   using (name)
   where name <> 'synchronous_commit' or setting = 'off'`;

/** The checkpoint row as the writer found it. */
export interface Checkpoint {
  readonly source: string;
  readonly systemIdentifier: string;
  readonly timeline: number;
  readonly slot: string;
  readonly endLsn: Lsn;
  readonly nextId: bigint;
  readonly entries: bigint;
}

export interface TrailWriterOptions {
  /** From {@link elect}: holds the election lock. The writer owns it from here on. */
  readonly client: pg.Client;
  readonly checkpoint: Checkpoint;
  /** Lookup tables whose names are held in memory. */
  readonly held: ReadonlySet<string>;
  /** The source may send bytes that are not UTF-8 (server encoding SQL_ASCII). */
  readonly checkUtf8: boolean;
  /** Between two looks whether the trail still answers. */
  readonly tickMs: number;
  /** Called once, with the first error. */
  readonly failed: (error: WaltrailError) => void;
}

/**
 * The one writer of a trail: numbers entries, keeps dictionaries, stores entries by COPY and moves the checkpoint in the
 * same transaction. Any error ends it; the next one starts from what is durable.
 */
export class TrailWriter implements TrailSession {
  readonly rows: EntryRowBuffer;
  readonly dictionary: TrailDictionary;
  readonly #client: pg.Client;
  readonly #source: string;
  readonly #failed: (error: WaltrailError) => void;
  #checkpointLsn: Lsn;
  #checkpointId: bigint;
  #boundary: Boundary;
  #transaction = false;
  #copy: CopyIn | undefined;
  /** Entries sent into the open trail transaction. */
  #sentEntries = 0;
  #unsentBytes = 0;
  /** Rows beyond the boundary were sent: committing now would store a part of a source transaction. */
  #torn = false;
  #busy = false;
  #drained: () => void = () => undefined;
  #failure: WaltrailError | undefined;
  readonly #silence = new Silence();
  readonly #watch: NodeJS.Timeout;

  private constructor(
    options: TrailWriterOptions & { readonly rows: EntryRowBuffer; readonly dictionary: TrailDictionary },
  ) {
    const { checkpoint } = options;
    this.rows = options.rows;
    this.dictionary = options.dictionary;
    this.#client = options.client;
    this.#source = checkpoint.source;
    this.#failed = options.failed;
    this.#checkpointLsn = checkpoint.endLsn;
    this.#checkpointId = checkpoint.nextId;
    this.#boundary = {
      bytes: 0,
      entries: 0,
      nextId: checkpoint.nextId,
      endLsn: checkpoint.endLsn,
      committedAt: 0n,
    };
    this.#client.on('error', (error) => this.#fail(error));
    this.#client.on('end', () => this.#fail(undefined));
    this.#watch = setInterval(() => this.#look(options.tickMs), options.tickMs);
    this.#watch.unref();
    this.#startDayIfNew();
  }

  static async open(options: TrailWriterOptions): Promise<TrailWriter> {
    const rows = new EntryRowBuffer({ nextId: options.checkpoint.nextId, checkUtf8: options.checkUtf8 });
    const dictionary = await TrailDictionary.load(options.client, {
      held: options.held,
      nextId: () => rows.nextId,
    }).catch((error: unknown) => {
      throw trailError(error);
    });
    return new TrailWriter({ ...options, rows, dictionary });
  }

  get lookups(): TrailDictionary['lookups'] {
    return this.dictionary.lookups;
  }

  get checkpointLsn(): Lsn {
    return this.#checkpointLsn;
  }

  get unsentBytes(): number {
    return this.rows.bytes + this.dictionary.pending * DICTIONARY_ROW_BYTES;
  }

  get pendingBytes(): number {
    return this.rows.bytes + this.#unsentBytes;
  }

  get pendingEntries(): number {
    return this.rows.entries + this.#sentEntries;
  }

  get busy(): boolean {
    return this.#busy;
  }

  get committable(): boolean {
    return !this.#torn && this.#boundary.endLsn > this.#checkpointLsn;
  }

  onDrain(callback: () => void): void {
    this.#drained = callback;
  }

  boundary(position: CommitPosition): void {
    this.#torn = false;
    this.#boundary = {
      ...position,
      bytes: this.rows.bytes,
      entries: this.rows.entries,
      nextId: this.rows.nextId,
    };
  }

  spill(): void {
    this.#throwFailure();
    this.#send(this.rows.bytes, this.rows.entries);
    this.#boundary = { ...this.#boundary, bytes: 0, entries: 0 };
    this.#torn = true;
    if (this.dictionary.pending >= MAX_PENDING_DICTIONARY) {
      // A failure is reported through `failed`.
      this.#exclusive(() => this.#storeDictionary()).then(this.#drained, () => undefined);
    }
  }

  async commit(): Promise<CommittedBatch> {
    const { bytes, entries, nextId, endLsn, committedAt } = this.#boundary;
    return this.#exclusive(async () => {
      this.#send(bytes, entries);
      this.#boundary = { ...this.#boundary, bytes: 0, entries: 0 };
      const stored = this.#sentEntries;
      await this.#endCopy();
      const statements = [
        ...this.dictionary.takeStatements(nextId),
        this.#advance({ endLsn, nextId, entries: stored, committedAt }),
        'commit',
      ];
      if (!this.#transaction) statements.unshift('begin');
      await this.#client.query(statements.join('; '));
      this.#transaction = false;
      this.#sentEntries = 0;
      this.#checkpointLsn = endLsn;
      this.#checkpointId = nextId;
      if (this.rows.bytes === 0) this.#startDayIfNew();
      return { endLsn, entries: stored, committedAt };
    });
  }

  async skipTo(lsn: Lsn): Promise<void> {
    await this.#exclusive(async () => {
      await this.#client.query(
        this.#advance({ endLsn: lsn, nextId: this.#checkpointId, entries: 0, committedAt: null }),
      );
      this.#checkpointLsn = lsn;
    });
  }

  /** Closes the connection, which also gives the election lock back. What was not committed is not in the trail. */
  async close(): Promise<void> {
    this.#failure ??= new WaltrailError('TRAIL_DISCONNECTED', 'The trail session is closed.');
    clearInterval(this.#watch);
    // An open COPY would make a polite end wait for its data; the server rolls back either way.
    destroy(this.#client);
    await close(this.#client);
  }

  /** Runs one conversation with the server; meanwhile rows can be written but not sent. */
  async #exclusive<T>(run: () => Promise<T>): Promise<T> {
    this.#throwFailure();
    this.#busy = true;
    try {
      return await run();
    } catch (error) {
      throw this.#fail(error);
    } finally {
      this.#busy = false;
      this.#silence.heard();
    }
  }

  /** A commit that is never answered, or bytes that are never taken, would otherwise be waited for as long as TCP tries. */
  #look(tickMs: number): void {
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
    if (this.#copy === undefined) {
      const begin = this.#transaction ? '' : 'begin; ';
      this.#copy = CopyIn.start(
        this.#client,
        `${begin}copy trail.entry (${ENTRY_COLUMNS.join(', ')}) from stdin (format binary)`,
      );
      this.#copy.finished.catch((error: unknown) => this.#fail(error));
      this.#copy.write(COPY_HEADER);
      this.#transaction = true;
    }
    this.#sentEntries += entries;
    this.#unsentBytes += data.length;
    this.#copy.write(data, () => {
      this.#unsentBytes -= data.length;
      this.#silence.heard();
      this.rows.recycle(data);
      this.#drained();
    });
  }

  async #storeDictionary(): Promise<void> {
    await this.#endCopy();
    const statements = this.dictionary.takeStatements(this.rows.nextId);
    if (!this.#transaction) statements.unshift('begin');
    this.#transaction = true;
    await this.#client.query(statements.join('; '));
  }

  async #endCopy(): Promise<void> {
    const copy = this.#copy;
    if (copy === undefined) return;
    copy.write(COPY_TRAILER);
    await copy.done();
    this.#copy = undefined;
  }

  #advance(to: {
    readonly endLsn: Lsn;
    readonly nextId: bigint;
    readonly entries: number;
    readonly committedAt: bigint | null;
  }): string {
    const committedAt =
      to.committedAt === null
        ? 'null'
        : `timestamptz '2000-01-01 00:00:00+00' + interval '${to.committedAt} microseconds'`;
    return (
      `select trail.advance(${quoteLiteral(this.#source)}, '${formatLsn(this.#checkpointLsn)}', ${this.#checkpointId}, ` +
      `'${formatLsn(to.endLsn)}', ${to.nextId}, ${to.entries}, ${committedAt})`
    );
  }

  /** Entries are numbered within the day on which they are stored; see sql/trail/0001_trail.sql. */
  #startDayIfNew(): void {
    const today = Math.floor((Date.now() - FIRST_DAY_MS) / DAY_MS);
    if (today <= Number(this.rows.nextId >> 32n)) return;
    this.rows.startDay(today);
    this.#boundary = { ...this.#boundary, nextId: this.rows.nextId };
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

/** The last place up to which only whole source transactions are written. */
interface Boundary extends CommitPosition {
  readonly bytes: number;
  readonly entries: number;
  readonly nextId: bigint;
}

/** Makes this process the capturing daemon of the trail, if no other is. The client then holds the election lock. */
export async function elect(url: string, signal?: AbortSignal): Promise<pg.Client | null> {
  const client = await connect({ url, purpose: 'capture', signal });
  try {
    const { rows } = await client.query<{ elected: boolean }>(
      /* sql */ `select pg_catalog.pg_try_advisory_lock($1, 0) as elected`,
      [ELECTION_LOCK],
    );
    if (rows[0]!.elected) {
      await client.query(SESSION_SETTINGS);
      await client.query(/* sql */ `select trail.ensure_partitions(7)`);
      // Where the DBA did not let the roles be made, the login's own rights are all there is.
      await client.query(
        /* sql */ `select pg_catalog.set_config('role', rolname, false) from pg_catalog.pg_roles
                    where rolname = $1 and pg_catalog.pg_has_role(current_user, oid, 'member')`,
        [WRITER_ROLE],
      );
      return client;
    }
  } catch (error) {
    await close(client);
    throw trailError(error);
  }
  await close(client);
  return null;
}

/** The checkpoint, or undefined for a trail that has not begun. Throws TRAIL_OTHER_SOURCE. */
export async function readCheckpoint(client: pg.Client, source: string): Promise<Checkpoint | undefined> {
  const rows = await read<{
    source: string;
    system_identifier: string;
    timeline: number;
    slot: string;
    end_lsn: string;
    next_id: string;
    entries: string;
  }>(
    client,
    /* sql */ `select source, system_identifier, timeline, slot, end_lsn::text, next_id::text, entries::text from trail.checkpoint`,
  );
  const row = rows[0];
  if (row === undefined) return undefined;
  if (row.source !== source) {
    throw new WaltrailError(
      'TRAIL_OTHER_SOURCE',
      `The trail holds entries of source ${row.source}, not of ${source}.`,
    );
  }
  return {
    source: row.source,
    systemIdentifier: row.system_identifier,
    timeline: row.timeline,
    slot: row.slot,
    endLsn: parseLsn(row.end_lsn),
    nextId: BigInt(row.next_id),
    entries: BigInt(row.entries),
  };
}

/** A name as of the beginning of a trail. */
export interface StartName {
  readonly table: string;
  readonly key: string;
  readonly name: string;
  readonly kind: Kind | null;
}

/** Begins a trail in one transaction: its checkpoint at `startLsn`, and the names as of that point, batch by batch. */
export async function beginTrail(
  client: pg.Client,
  options: {
    readonly source: string;
    readonly identity: { readonly systemIdentifier: string; readonly timeline: number };
    readonly slot: string;
    readonly startLsn: Lsn;
    readonly names: AsyncIterable<readonly StartName[]>;
  },
): Promise<void> {
  try {
    await client.query('begin');
    for await (const names of options.names) {
      await client.query(
        /* sql */ `insert into trail.lookup (table_name, key, from_id, name, kind)
                   select t, k, 0, n, c from unnest($1::text[], $2::text[], $3::text[], $4::text[]) as x (t, k, n, c)
                   on conflict do nothing`,
        [
          names.map(({ table }) => table),
          names.map(({ key }) => indexable(key)),
          names.map(({ name }) => name),
          names.map(({ kind }) => kind),
        ],
      );
    }
    await client.query(
      /* sql */ `insert into trail.checkpoint (source, system_identifier, timeline, slot, start_lsn, end_lsn, next_id)
                 values ($1, $2, $3, $4, $5, $5, 0)`,
      [
        options.source,
        options.identity.systemIdentifier,
        options.identity.timeline,
        options.slot,
        formatLsn(options.startLsn),
      ],
    );
    await client.query('commit');
  } catch (error) {
    throw trailError(error);
  }
}

/** What a failed statement or connection of the trail means. Branches on SQLSTATE; the message names no value. */
function trailError(error: unknown): WaltrailError {
  if (isWaltrailError(error)) return error;
  const sqlState = codeOf(error);
  if (sqlState === 'WT001') {
    return new WaltrailError('TRAIL_FENCED', 'Another writer moved the checkpoint of this trail.', {
      cause: error,
    });
  }
  if (sqlState !== undefined && /^[0-9A-Z]{5}$/.test(sqlState) && !/^(08|57P)/.test(sqlState)) {
    return new WaltrailError('TRAIL_WRITE_FAILED', `The trail refused a batch (${sqlState}).`, {
      cause: error,
    });
  }
  return new WaltrailError('TRAIL_DISCONNECTED', 'The connection to the trail is gone.', { cause: error });
}

function frame(data: Buffer): Buffer {
  const header = Buffer.alloc(5);
  header[0] = 0x64;
  header.writeInt32BE(data.length + 4, 1);
  return Buffer.concat([header, data]);
}

/** The trail's secret for hashing redacted values. */
export async function readRedactionKey(client: pg.Client): Promise<Buffer> {
  const [row] = await read<{ value: string }>(
    client,
    /* sql */ `select value from trail.secret where name = 'redaction_key'`,
  );
  if (row === undefined)
    throw new WaltrailError('TRAIL_WRITE_FAILED', 'The trail has lost its redaction key.', {
      remedy:
        'Restore the row redaction_key of trail.secret from a backup, or hashes of redacted values change.',
    });
  return Buffer.from(row.value);
}

async function read<T extends pg.QueryResultRow>(client: pg.Client, sql: string): Promise<T[]> {
  try {
    return (await client.query<T>(sql)).rows;
  } catch (error) {
    throw trailError(error);
  }
}
