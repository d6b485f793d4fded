import type { FastifyReply } from 'fastify';
import { WaltrailError } from '../../errors.js';
import type { Principal } from '../auth/tokens.js';
import { closed } from './closed.js';

/**
 * One event of a stream. `data` is one line of text. An event without it only moves the client's
 * Last-Event-ID.
 */
export interface SseEvent {
  readonly id?: string;
  readonly event?: string;
  readonly data?: string;
  readonly comment?: string;
}

/** Headers of a stream in addition to those of every answer. GET and HEAD send the same. */
export const STREAM_HEADERS = {
  'content-type': 'text/event-stream; charset=utf-8',
  'cache-control': 'no-store, no-transform',
  // Without this header nginx would collect events until its buffer is full.
  'x-accel-buffering': 'no',
} as const;
/** Something is sent at least this often, so that a connection that has ended is noticed. */
export const HEARTBEAT_MS = 15_000;
/** A client that has not read for this long is disconnected. */
export const STALLED_MS = 60_000;
const RECONNECT_MS = 1_000;
/** Seconds after which a token that has all its streams open may retry. */
const RETRY_AFTER_SECONDS = 5;

/**
 * Sends server-sent events to one client (HTML standard, 9.2). It never queues: while the client's socket is
 * full, `writable` is false and the writer has to wait.
 */
export class SseStream {
  readonly #reply: FastifyReply;
  readonly #onWritable: () => void;
  #full = false;
  #closed = false;
  /** Resolves when the client has disconnected or the stream has been ended. */
  readonly closed: Promise<void>;

  /**
   * Takes the reply over from Fastify and sends the head. Fastify's hooks for answers are then not run.
   */
  constructor(reply: FastifyReply, options: { readonly onWritable?: () => void } = {}) {
    this.#reply = reply;
    this.#onWritable = options.onWritable ?? (() => undefined);
    reply.hijack();
    const { raw } = reply;
    for (const [name, value] of Object.entries(reply.getHeaders()))
      if (value !== undefined) raw.setHeader(name, value);
    raw.writeHead(200, STREAM_HEADERS);
    raw.on('drain', () => {
      this.#full = false;
      this.#onWritable();
    });
    raw.on('error', () => undefined);
    this.closed = closed(reply).then(() => {
      this.#closed = true;
    });
    this.#write(`retry: ${RECONNECT_MS}\n\n`);
  }

  get isClosed(): boolean {
    return this.#closed || this.#reply.raw.writableEnded || this.#reply.request.raw.socket.destroyed;
  }

  get writable(): boolean {
    return !this.isClosed && !this.#full;
  }

  send(events: readonly SseEvent[]): void {
    this.#write(events.map(format).join(''));
  }

  end(): void {
    if (!this.isClosed) this.#reply.raw.end();
  }

  /** Closes the connection of a client that does not read. What the socket still holds is dropped. */
  destroy(): void {
    this.#reply.raw.destroy();
  }

  #write(text: string): void {
    if (this.isClosed || text === '') return;
    if (!this.#reply.raw.write(text)) this.#full = true;
  }
}

/** A reserved place for a stream that is being opened. */
export interface StreamPlace {
  /** Gives the place to a stream, which frees it when it closes. */
  take(stream: SseStream): void;
  /** Frees the place of a stream that was not opened. */
  free(): void;
}

export interface StreamLimits {
  /** Streams of this process. */
  readonly max: number;
  /** Places out of `max` that are reserved for admins. */
  readonly forAdmins: number;
  /** Streams of one token. */
  readonly forToken: number;
}

/** Holds the open streams and limits their number. The server ends them all before it closes. */
export class OpenStreams {
  readonly #streams = new Set<SseStream>();
  readonly #limits: StreamLimits;
  /** Places taken, by token. They include those of streams that are being opened. */
  readonly #places = new Map<string, number>();
  #taken = 0;

  constructor(limits: StreamLimits) {
    this.#limits = limits;
  }

  get size(): number {
    return this.#streams.size;
  }

  /**
   * Reserves places. Called before anything is awaited, or streams that are opened together would all take
   * the same last place. `views` is the number of lists that the stream follows. Each takes a place, because
   * each causes reads. Throws HTTP_TOKEN_BUSY and HTTP_TOO_MANY_STREAMS.
   */
  reserve({ tokenId, role }: Pick<Principal, 'tokenId' | 'role'>, views = 1): StreamPlace {
    const { max, forAdmins, forToken } = this.#limits;
    const own = this.#places.get(tokenId) ?? 0;
    if (own + views > forToken)
      throw new WaltrailError('HTTP_TOKEN_BUSY', `This token has ${forToken} live streams open.`, {
        details: { retryAfterSeconds: RETRY_AFTER_SECONDS },
      });
    if (this.#taken + views > (role === 'admin' ? max : max - forAdmins))
      throw new WaltrailError('HTTP_TOO_MANY_STREAMS', 'Too many live streams are open.');
    this.#places.set(tokenId, own + views);
    this.#taken += views;
    let isHeld = true;
    const free = (): void => {
      if (!isHeld) return;
      isHeld = false;
      this.#taken -= views;
      const left = this.#places.get(tokenId)! - views;
      if (left === 0) this.#places.delete(tokenId);
      else this.#places.set(tokenId, left);
    };
    return {
      free,
      take: (stream) => {
        this.#streams.add(stream);
        void stream.closed.then(() => {
          this.#streams.delete(stream);
          free();
        });
      },
    };
  }

  endAll(): void {
    for (const stream of this.#streams) stream.end();
  }
}

function format({ id, event, data, comment }: SseEvent): string {
  return [
    ...(comment === undefined ? [] : [`: ${comment}`]),
    ...(event === undefined ? [] : [`event: ${event}`]),
    ...(id === undefined ? [] : [`id: ${id}`]),
    ...(data === undefined ? [] : [`data: ${data}`]),
    '\n',
  ].join('\n');
}
