import type { FastifyReply } from 'fastify';
import type { Entry } from '../../trail/read/entry.js';
import { entryToJson } from '../../trail/read/json.js';
import type { Access, AccessRecord } from '../auth/access.js';
import type { Authenticator } from '../auth/authenticator.js';
import type { GuardedRequest } from '../auth/guard.js';
import type { Delivery } from '../stream/delivery.js';
import type { Listening } from '../stream/live.js';
import { CHECK_MS, superviseStream } from '../stream/long-answer.js';
import { HEARTBEAT_MS, SseStream } from '../stream/sse.js';

/** A view that is further behind reports its position at each check, and not only with its heartbeats. */
const BEHIND_MS = 2_000;
/** Time after which the access record gets a further row about a view that delivers. */
const RECORD_MS = 3_600_000;

/** The data of an event `position` of a view. */
interface ViewPosition {
  /** How far the view is behind the end of the trail, in whole seconds. */
  readonly behindSeconds: number;
}

/** One list that a stream follows. */
export interface WatchedView {
  readonly listening: Listening;
  readonly delivery: Delivery;
  /** What is recorded when the view has delivered entries. */
  readonly access: Access;
}

/**
 * A stream to a client, with the views that it follows. If there are several views, the names of events have
 * the view's number: `entry.0` and `position.0`.
 */
export class WatchedStream {
  readonly #request: GuardedRequest;
  readonly #authenticator: Authenticator;
  readonly #access: AccessRecord;
  readonly #isNumbered: boolean;
  #stream: SseStream | undefined;
  #views: readonly WatchedView[] = [];
  /** How far each view was behind when its position was sent last, in milliseconds. */
  readonly #saidMs: number[] = [];

  constructor(options: {
    readonly request: GuardedRequest;
    readonly authenticator: Authenticator;
    readonly access: AccessRecord;
    /** Whether the names of events have the number of their view. */
    readonly isNumbered: boolean;
  }) {
    this.#request = options.request;
    this.#authenticator = options.authenticator;
    this.#access = options.access;
    this.#isNumbered = options.isNumbered;
  }

  /** Whether an event may be sent: the stream has begun, and its client reads. */
  get writable(): boolean {
    return this.#stream?.writable ?? false;
  }

  deliver(view: number, entry: Entry): void {
    this.#views[view]?.delivery.delivered(entry.id);
    const event = this.#isNumbered ? { event: `entry.${view}` } : {};
    this.#stream?.send([{ ...event, id: entry.id, data: entryToJson(entry) }]);
  }

  reached(view: number, position: string): void {
    const watched = this.#views[view];
    if (watched === undefined) return;
    watched.delivery.reached(position);
    // A client that was told how far it is behind learns at once that it is no longer. A list in which
    // nothing new matches catches up in one read, and the next heartbeat comes seconds later.
    if ((this.#saidMs[view] ?? 0) >= BEHIND_MS && watched.listening.behindMs() < BEHIND_MS)
      this.#sayPosition(view);
  }

  /** Takes the reply over and begins to deliver. */
  begin(reply: FastifyReply, views: readonly WatchedView[]): SseStream {
    this.#views = views;
    this.#stream = new SseStream(reply, {
      onWritable: () => views.forEach(({ listening }) => listening.resume()),
    });
    // Positions are sent at once and with every heartbeat, so that a client that reconnects misses nothing
    // even if no entry has matched.
    views.forEach((_, view) => this.#sayPosition(view));
    return this.#stream;
  }

  /** Supervises the stream until it is closed, and records what it has delivered. Never rejects. */
  async watch(): Promise<void> {
    const stream = this.#stream!;
    let sinceHeartbeat = 0;
    let sinceRecord = 0;
    const stop = superviseStream({
      request: this.#request,
      authenticator: this.#authenticator,
      stream,
      checked: () => {
        sinceRecord += CHECK_MS;
        if (sinceRecord >= RECORD_MS) {
          sinceRecord = 0;
          void this.#record();
        }
        if (!stream.writable) return;
        sinceHeartbeat += CHECK_MS;
        const isDue = sinceHeartbeat >= HEARTBEAT_MS;
        if (isDue) sinceHeartbeat = 0;
        this.#views.forEach(({ listening }, view) => {
          if (isDue || listening.behindMs() >= BEHIND_MS) this.#sayPosition(view);
        });
      },
    });
    await stream.closed;
    stop();
    for (const { listening } of this.#views) listening.stop();
    await this.#record();
  }

  #sayPosition(view: number): void {
    const { listening, delivery } = this.#views[view]!;
    const behindMs = listening.behindMs();
    const said: ViewPosition = { behindSeconds: Math.floor(behindMs / 1000) };
    this.#saidMs[view] = behindMs;
    const event = this.#isNumbered ? `position.${view}` : 'position';
    this.#stream?.send([{ event, id: delivery.position, data: JSON.stringify(said) }]);
  }

  /** Records what was delivered since the last row, with one row for each view. */
  async #record(): Promise<void> {
    for (const { delivery, access } of this.#views) {
      const delivered = delivery.take();
      if (delivered !== undefined) await this.#access.recordDelivered(access, delivered);
    }
  }
}
