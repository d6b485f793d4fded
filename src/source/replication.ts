import { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type pg from 'pg';
// eslint-disable-next-line no-restricted-syntax -- decision 7; #start pins what it opens
import { LogicalReplicationService } from 'pg-logical-replication';
import { WaltrailError } from '../errors.js';
import { connectError, describeUrl } from '../pg/connect-error.js';
import { formatLsn, LSN_ZERO, type Lsn } from '../pg/lsn.js';
import {
  COPY_BOTH_RESPONSE,
  COPY_DATA,
  COPY_DONE,
  ERROR_RESPONSE,
  NOTICE_RESPONSE,
} from '../pg/message-types.js';
import { pinLimits, pinSearchPath } from '../pg/pin.js';
import { GIVE_UP_TICKS, Silence } from '../pg/silence.js';
import { OBJECT_NOT_IN_PREREQUISITE_STATE, UNDEFINED_OBJECT } from '../pg/sql-state.js';
import { TAG_BEGIN } from '../pgoutput/tags.js';
import { FrameReader } from './frames.js';
import { InProgressTransactions } from './in-progress.js';
import { MessageOrder } from './message-order.js';
import { pauseAfterRead, QUIET } from './pacing.js';
import {
  errorFields,
  PRIMARY_KEEPALIVE,
  startReplication,
  statusUpdate,
  XLOG_DATA,
} from './replication-protocol.js';
import { replicationClientConfig, SEND_BYTES } from './connection-settings.js';
import { identifySystem, type SystemIdentity } from './slot.js';
import { streamError } from './stream-error.js';

/** Receives what arrives on the stream, in order. Bytes are valid only during the call. */
export interface StreamHandler {
  /** Takes one pgoutput message in `bytes[start, end)`. */
  message(bytes: Buffer, start: number, end: number): void;
  /**
   * Announces the tables that the next Relation messages describe. If it returns a promise, the messages are
   * delivered after it resolves. It rejects with the error that ends the stream.
   *
   * @param commitLsn the commit LSN of their transaction; null: the transaction has already begun
   */
  described(oids: readonly number[], commitLsn: Lsn | null): Promise<void> | undefined;
  /**
   * Announces a transaction, which is delivered next. Its commit LSN is in `bytes` at `at`. If it returns a
   * promise, the transaction is delivered after it resolves.
   */
  begins(bytes: Buffer, at: number): Promise<void> | undefined;
  /** Reports the source's WAL position. Everything before it was sent. */
  keepalive(walEnd: Lsn): void;
  /** Reports that everything that had arrived was delivered. */
  readDone(): void;
  /** Reports that the stream has ended. No other method is called afterwards. Never called after `stop`. */
  ended(error: WaltrailError): void;
}

export interface StreamOptions {
  readonly url: string;
  readonly slot: string;
  readonly publication: string;
  /** Called before streaming starts. Throws to refuse the source. */
  readonly check: (identity: SystemIdentity) => void;
  readonly startLsn: Lsn;
  /**
   * Everything before it is durable in the trail. Zero: the source is told nothing, and keeps its WAL.
   * Default: `startLsn`.
   */
  readonly durableLsn?: Lsn;
  /**
   * Changes before this LSN may have been made while the publication did not exist, and the trail records
   * that. Null: there are none.
   */
  readonly missingUntil: Lsn | null;
  /**
   * The folder where transactions in progress are spooled. Null: the source sends transactions only after
   * they commit.
   */
  readonly spoolFolder: string | null;
  /**
   * Prefixes of the logical messages that attribute the changes of their transaction, as in
   * InProgressOptions.
   */
  readonly messagePrefixes: readonly string[];
  readonly handler: StreamHandler;
  /** Called with the stream before any data arrives. */
  readonly made: (stream: ReplicationStream) => void;
  /**
   * Milliseconds between two status updates. With each update, the connection is checked for a sign of life.
   * In production: TICK_MS of pg/silence.ts.
   */
  readonly tickMs: number;
  /** Cancels opening the stream. */
  readonly signal: AbortSignal;
}

/**
 * The replication stream of one slot. pg-logical-replication opens the connection. From START_REPLICATION on,
 * this class reads the bytes and writes the acknowledgements, because the library acknowledges the received
 * position plus one (DECISIONS 7).
 *
 * @see https://www.postgresql.org/docs/current/protocol-replication.html
 */
export class ReplicationStream {
  readonly #service: LogicalReplicationService;
  readonly #handler: StreamHandler;
  readonly #publication: string;
  readonly #missingUntil: Lsn;
  readonly #frames = new FrameReader(
    (tag, bytes, start, end) => this.#frame(tag, bytes, start, end),
    new MessageOrder(),
  );
  readonly #inProgress: InProgressTransactions;
  readonly #silence = new Silence();
  /** The TCP connection below TLS, while there is one. */
  #connection: Socket | undefined;
  #socket: Duplex | undefined;
  #acked: Lsn = LSN_ZERO;
  // In two halves: a bigint for each message would be garbage for each message.
  #walEndHigh = 0;
  #walEndLow = 0;
  #pace = QUIET;
  /**
   * Set while the pipeline has paused the stream: the promise that a replay waits for, and the function that
   * resolves it.
   */
  #pause: { readonly over: Promise<void>; readonly end: () => void } | undefined;
  #pacing: NodeJS.Timeout | undefined;
  #status: NodeJS.Timeout | undefined;
  #streaming = false;
  #over = false;
  /** Settles START_REPLICATION; undefined once it has. */
  #starting: { resolve(): void; reject(error: WaltrailError): void } | undefined;

  private constructor(options: StreamOptions) {
    this.#handler = options.handler;
    this.#publication = options.publication;
    this.#missingUntil = options.missingUntil ?? LSN_ZERO;
    this.#inProgress = new InProgressTransactions({
      folder: options.spoolFolder,
      receiver: options.handler,
      messagePrefixes: options.messagePrefixes,
      paused: () => this.#pause?.over,
    });
    this.#service = new LogicalReplicationService(
      replicationClientConfig(options.url, { socket: (own) => this.#makeSocket(own) }),
      { acknowledge: { auto: false, timeoutSeconds: 0 } },
    );
  }

  /** Connects and starts streaming. Throws PG_UNREACHABLE, PG_REFUSED, SOURCE_… or what `check` throws. */
  static async open(options: StreamOptions): Promise<ReplicationStream> {
    const stream = new ReplicationStream(options);
    options.made(stream);
    const service = stream.#service;
    service.on('error', (error) => stream.#end(streamError(error)));
    const abandon = (): void => void stream.#connection?.destroy();
    options.signal.addEventListener('abort', abandon, { once: true });
    try {
      options.signal.throwIfAborted();
      await service.subscribe(
        {
          options: undefined,
          name: 'pgoutput',
          parse: () => undefined,
          start: (client) => stream.#start(client, options),
        },
        options.slot,
        formatLsn(options.startLsn),
      );
      // The library reports no error if the connection ends before streaming begins.
      if (!stream.#streaming)
        throw new WaltrailError(
          'SOURCE_DISCONNECTED',
          'The source closed the connection before streaming began.',
        );
    } catch (error) {
      await stream.stop();
      throw error instanceof WaltrailError
        ? error
        : connectError({ url: options.url, side: 'source' }, error);
    } finally {
      options.signal.removeEventListener('abort', abandon);
    }
    return stream;
  }

  /** The last WAL position that the source reported. */
  get walEnd(): Lsn {
    return (BigInt(this.#walEndHigh) << 32n) | BigInt(this.#walEndLow);
  }

  /** Stops reading: the source then waits in its send buffer. Idempotent. */
  pause(): void {
    if (this.#pause === undefined) {
      let end = (): void => undefined;
      const over = new Promise<void>((resolve) => (end = resolve));
      this.#pause = { over, end };
    }
    this.#socket?.pause();
  }

  resume(): void {
    this.#pause?.end();
    this.#pause = undefined;
    this.#readOn();
  }

  /**
   * Tells the source that everything before `lsn` is durable in the trail. The caller must guarantee this,
   * because the source may then remove its WAL. An LSN below an earlier one is ignored.
   */
  acknowledge(lsn: Lsn): void {
    if (lsn <= this.#acked) return;
    this.#acked = lsn;
    this.#sendStatus();
  }

  /** Closes the connection. Resolves when the socket is closed. */
  async stop(): Promise<void> {
    this.#over = true;
    clearTimeout(this.#pacing);
    clearInterval(this.#status);
    this.#pause?.end();
    await this.#inProgress.close();
    const socket = this.#socket ?? this.#connection;
    if (socket !== undefined && !socket.destroyed) {
      const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()));
      socket.destroy();
      await closed;
    }
    await this.#service.destroy().catch(() => undefined);
  }

  async #start(client: pg.Client, options: StreamOptions): Promise<void> {
    await pinSearchPath(client, { database: describeUrl(options.url) });
    options.check(await identifySystem(client));
    await pinLimits(client);
    await client.query(SEND_BYTES);
    const connection = (client as unknown as { connection: { stream: Duplex; query(text: string): void } })
      .connection;
    const socket = connection.stream;
    const started = new Promise<void>((resolve, reject) => {
      this.#starting = { resolve, reject };
    });
    socket.removeAllListeners('data');
    // Only a TLS socket still emits this event: our own socket reads directly into the frame reader's buffer.
    socket.on('data', (chunk: Buffer) => this.#read(chunk.length, () => this.#frames.push(chunk)));
    socket.once('close', () =>
      this.#end(new WaltrailError('SOURCE_DISCONNECTED', 'The source closed the replication connection.')),
    );
    this.#socket = socket;
    this.#acked = options.durableLsn ?? options.startLsn;
    connection.query(startReplication({ ...options, streaming: options.spoolFolder !== null }));
    this.#status = setInterval(() => this.#tick(options.tickMs), options.tickMs);
    this.#status.unref();
    await started;
    this.#streaming = true;
  }

  /**
   * Sends a status update without a request, because a request of the source stays unread while the socket is
   * paused. Also checks for a sign of life: a connection that was cut without a packet would never end
   * otherwise.
   */
  #tick(tickMs: number): void {
    if (this.#pause !== undefined || this.#frames.held) this.#silence.heard();
    const verdict = this.#silence.tick();
    if (verdict === 'give up') {
      this.#end(
        new WaltrailError(
          'SOURCE_DISCONNECTED',
          `The source has been silent for ${(GIVE_UP_TICKS * tickMs) / 1000} s, although it was asked for an answer.`,
        ),
      );
    } else {
      this.#sendStatus(verdict === 'ask');
    }
  }

  /**
   * Creates a socket that reads into one reused buffer. An ordinary socket allocates a new buffer for every
   * 64 KiB and reads less at once. Until streaming begins, the bytes go to pg, which listens for `data`. With
   * TLS (`own` is false), the TLS layer reads.
   */
  #makeSocket(own: boolean): Socket {
    if (!own) return (this.#connection = new Socket());
    const socket: Socket = new Socket({
      onread: {
        buffer: () => this.#frames.space(),
        callback: (bytes: number, buffer: Uint8Array) => {
          if (this.#socket === undefined) socket.emit('data', Buffer.from(buffer.subarray(0, bytes)));
          else this.#read(bytes, () => this.#frames.filled(bytes));
          return true;
        },
      },
    } as ConstructorParameters<typeof Socket>[0]);
    this.#connection = socket;
    return socket;
  }

  #read(bytes: number, handOver: () => void): void {
    if (this.#over) return;
    this.#silence.heard();
    if (!this.#handOver(handOver)) return;
    const { pauseMs, pace } = pauseAfterRead({ bytes, nowMs: performance.now() }, this.#pace);
    this.#pace = pace;
    if (pauseMs > 0) {
      this.#socket?.pause();
      this.#pacing = setTimeout(() => {
        this.#pacing = undefined;
        this.#readOn();
      }, pauseMs);
    }
  }

  /** Delivers frames. Returns false if an error has ended the stream. */
  #handOver(frames: () => void): boolean {
    try {
      frames();
      this.#handler.readDone();
      return true;
    } catch (error) {
      this.#fail(error);
      return false;
    }
  }

  #readOn(): void {
    if (this.#pause !== undefined || this.#pacing !== undefined || this.#frames.held || this.#over) return;
    this.#socket?.resume();
  }

  /**
   * Stops reading and delivery until `work` is done. May be called only while a message is being delivered.
   */
  hold(work: Promise<void>): void {
    this.#frames.hold();
    this.#socket?.pause();
    work.then(
      () => {
        if (!this.#over && this.#handOver(() => this.#frames.release())) this.#readOn();
      },
      (error: unknown) => this.#fail(error),
    );
  }

  #frame(tag: number, bytes: Buffer, start: number, end: number): void {
    switch (tag) {
      case COPY_DATA:
        return this.#copyData(bytes, start, end);
      case COPY_BOTH_RESPONSE:
        this.#starting?.resolve();
        this.#starting = undefined;
        return;
      case ERROR_RESPONSE:
        return this.#end(this.#streamError(errorFields(bytes, start)));
      case COPY_DONE: // the source stops in good order
        return this.#end(
          new WaltrailError('SOURCE_DISCONNECTED', 'The source ended the replication stream.'),
        );
      case NOTICE_RESPONSE:
        return this.#notice(errorFields(bytes, start));
      default: // parameter changes, command completion
        return;
    }
  }

  /**
   * Before PostgreSQL 18, the stream ends with this SQLSTATE if the publication did not exist when a change
   * was made.
   */
  #streamError(fields: { readonly code: string; readonly message: string }): WaltrailError {
    return fields.code === UNDEFINED_OBJECT && this.#streaming
      ? this.#publicationMissing()
      : streamError(fields);
  }

  /**
   * Ends the stream if the publication did not exist when a change was made. PostgreSQL 18 continues without
   * it and sends a notice with this SQLSTATE; before 18 it is an error. If capture continued, the checkpoint
   * would pass changes that were never sent.
   */
  #notice({ code }: { readonly code: string }): void {
    if (code !== OBJECT_NOT_IN_PREREQUISITE_STATE || this.walEnd < this.#missingUntil) return;
    this.#end(this.#publicationMissing());
  }

  #publicationMissing(): WaltrailError {
    return new WaltrailError(
      'SOURCE_PUBLICATION_MISSING',
      `Publication ${this.#publication} did not exist when changes after ${formatLsn(this.#acked)} were made: the source cannot send them.`,
    );
  }

  #copyData(bytes: Buffer, start: number, end: number): void {
    if (bytes[start] === XLOG_DATA) {
      // Start of the data (8 bytes), the source's WAL end (8), its clock (8), then the message
      this.#walEndHigh = bytes.readUInt32BE(start + 9);
      this.#walEndLow = bytes.readUInt32BE(start + 13);
      const work = this.#message(bytes, start + 25, end);
      if (work !== undefined) this.hold(work);
    } else if (bytes[start] === PRIMARY_KEEPALIVE) {
      // WAL end, time, whether an answer is wanted
      this.#walEndHigh = bytes.readUInt32BE(start + 1);
      this.#walEndLow = bytes.readUInt32BE(start + 5);
      if (bytes[start + 17] === 1) this.#sendStatus();
      this.#handler.keepalive(this.walEnd);
    }
  }

  #message(bytes: Buffer, start: number, end: number): Promise<void> | undefined {
    const asked = this.#askBefore(bytes, start);
    if (asked === undefined) return this.#inProgress.message(bytes, start, end);
    // The bytes are valid only during this call.
    const message = Buffer.from(bytes.subarray(start, end));
    return asked.then(() => this.#inProgress.message(message, 0, message.length));
  }

  /** Returns a promise if the message has to wait before it is delivered. */
  #askBefore(bytes: Buffer, start: number): Promise<void> | undefined {
    if (bytes[start] === TAG_BEGIN) return this.#handler.begins(bytes, start + 1);
    const oid = this.#inProgress.relationOid(bytes, start);
    return oid === null ? undefined : this.#handler.described([oid], null);
  }

  /** Reports the checkpoint, never a position that was only received. */
  #sendStatus(wantsAnswer = false): void {
    const socket = this.#socket;
    if (socket === undefined || !socket.writable || this.#over || this.#starting !== undefined) return;
    socket.write(statusUpdate(this.#acked, { wantsAnswer }));
  }

  #fail(error: unknown): void {
    this.#end(
      error instanceof WaltrailError
        ? error
        : new WaltrailError('PGOUTPUT_MALFORMED', 'The replication stream cannot be read.', { cause: error }),
    );
  }

  #end(error: WaltrailError): void {
    if (this.#over) return;
    this.#over = true;
    clearTimeout(this.#pacing);
    clearInterval(this.#status);
    if (this.#starting !== undefined) {
      this.#starting.reject(error);
      this.#starting = undefined;
      return;
    }
    this.#handler.ended(error);
  }
}
