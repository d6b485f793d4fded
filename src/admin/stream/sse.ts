import type { FastifyReply } from 'fastify';

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

const RECONNECT_MS = 1_000;

/**
 * Sends server-sent events to one client (HTML standard, 9.2). It never queues: while the client's socket is
 * full, `writable` is false and the writer has to wait.
 */
export class SseStream {
  readonly #reply: FastifyReply;
  readonly #onWritable: () => void;
  #full = false;
  #closed = false;
  /** Resolves when the client has disconnected or the stream was ended. */
  readonly closed: Promise<void>;

  /**
   * Takes the reply over from Fastify and sends the head. Fastify's hooks that run before an answer no longer
   * run.
   */
  constructor(reply: FastifyReply, options: { readonly onWritable?: () => void } = {}) {
    this.#reply = reply;
    this.#onWritable = options.onWritable ?? (() => undefined);
    reply.hijack();
    const { raw } = reply;
    for (const [name, value] of Object.entries(reply.getHeaders()))
      if (value !== undefined) raw.setHeader(name, value);
    raw.writeHead(200, {
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-store, no-transform',
      // Without this header nginx would collect events until its buffer is full.
      'x-accel-buffering': 'no',
    });
    raw.on('drain', () => {
      this.#full = false;
      this.#onWritable();
    });
    raw.on('error', () => undefined);
    this.closed = new Promise((resolve) => {
      const close = (): void => {
        this.#closed = true;
        resolve();
      };
      // The client may have disconnected before the stream began; its "close" event will not come again.
      if (raw.destroyed || raw.socket === null || raw.socket.destroyed) close();
      else raw.once('close', close);
    });
    this.#write(`retry: ${RECONNECT_MS}\n\n`);
  }

  get isClosed(): boolean {
    return this.#closed || this.#reply.raw.writableEnded;
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

  /** Cuts the connection of a client that does not read. What the socket holds is dropped. */
  destroy(): void {
    this.#reply.raw.destroy();
  }

  #write(text: string): void {
    if (this.isClosed || text === '') return;
    if (!this.#reply.raw.write(text)) this.#full = true;
  }
}

/** Keeps the open streams. The server ends them all before it closes, and refuses more than `max`. */
export class OpenStreams {
  readonly #streams = new Set<SseStream>();
  readonly #max: number;

  constructor(options: { readonly max: number }) {
    this.#max = options.max;
  }

  get size(): number {
    return this.#streams.size;
  }

  get isFull(): boolean {
    return this.#streams.size >= this.#max;
  }

  add(stream: SseStream): void {
    this.#streams.add(stream);
    void stream.closed.then(() => this.#streams.delete(stream));
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
