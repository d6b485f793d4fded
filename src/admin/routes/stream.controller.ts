import { Controller, Get, Headers, Inject, Query, Req, Res } from '@nestjs/common';
import type { FastifyReply } from 'fastify';
import { StreamQuery } from '../../api/requests.js';
import { isWaltrailError, WaltrailError } from '../../errors.js';
import { entryToJson } from '../../trail/read/json.js';
import { assertResumable } from '../../trail/read/range.js';
import { filterOf } from '../../trail/read/requested-filter.js';
import { TrailReader } from '../../trail/read/trail-reader.js';
import { AccessRecord } from '../auth/access.js';
import { accessOf } from '../auth/access-hook.js';
import { Authenticator } from '../auth/authenticator.js';
import { Allow, principalOf } from '../auth/guard.js';
import type { GuardedRequest } from '../auth/guard.js';
import { Delivery } from '../stream/delivery.js';
import { LiveFeed, type Listening, type ResumePoint } from '../stream/live.js';
import { OpenStreams, SseStream } from '../stream/sse.js';
import { Describe } from './describe.js';
import { FACTS } from './facts.js';
import type { DaemonFacts } from './facts.js';

const HEARTBEAT_MS = 15_000;
/**
 * Interval between two checks of a stream's token. After its token was revoked, a stream ends within this
 * time and that for which principals are cached.
 */
const RECHECK_MS = 5_000;
/** A client that has not read for this long counts as gone. */
const STALLED_MS = 60_000;
/** A stream that is further behind says so at each check, and not only with its heartbeats. */
const BEHIND_MS = 2_000;
/** Longest time between two rows of the access record about a stream that delivers. */
const RECORD_MS = 3_600_000;

/** What a stream says of itself in an event `position`. */
interface StreamPosition {
  /** How far the stream is behind the end of the trail, in whole seconds. */
  readonly behindSeconds: number;
}

/** Streams new entries as they arrive. */
@Controller('entries/stream')
export class StreamController {
  readonly #feed: LiveFeed;
  readonly #streams: OpenStreams;
  readonly #authenticator: Authenticator;
  readonly #access: AccessRecord;
  readonly #reader: TrailReader;
  readonly #facts: DaemonFacts;

  constructor(
    feed: LiveFeed,
    streams: OpenStreams,
    authenticator: Authenticator,
    access: AccessRecord,
    reader: TrailReader,
    @Inject(FACTS) facts: DaemonFacts,
  ) {
    this.#feed = feed;
    this.#streams = streams;
    this.#authenticator = authenticator;
    this.#access = access;
    this.#reader = reader;
    this.#facts = facts;
  }

  @Get()
  @Allow('viewer', { record: 'watch', polled: true })
  @Describe({
    summary:
      'New entries as server-sent events; resumes after Last-Event-ID, no further back than reports.max_range',
    answer: 'text/event-stream',
    errors: [400, 401, 403, 422, 429, 503],
  })
  async stream(
    @Req() request: GuardedRequest,
    @Res() reply: FastifyReply,
    @Query({ schema: StreamQuery }) query: StreamQuery,
    @Headers('last-event-id') lastEventId?: string,
  ): Promise<void> {
    const principal = principalOf(request);
    const filter = filterOf(query, principal.tenant);
    const resume = await this.#resumePoint(lastEventId);
    if (request.method === 'HEAD') {
      await reply.type('text/event-stream; charset=utf-8').send();
      return;
    }
    const place = this.#streams.reserve(principal);
    let stream: SseStream | undefined = undefined;
    let delivery: Delivery | undefined = undefined;
    let listening: Listening;
    try {
      await this.#access.record(accessOf(request, 200));
      listening = await this.#feed.listen({
        owner: principal.tokenId,
        filter,
        resume,
        ready: () => stream?.writable ?? false,
        deliver: (entry) => {
          delivery?.delivered(entry.id);
          stream?.send([{ id: entry.id, data: entryToJson(entry) }]);
        },
        reached: (position) => delivery?.reached(position),
      });
    } catch (error) {
      place.free();
      throw error;
    }
    delivery = new Delivery(listening.position);
    stream = new SseStream(reply, { onWritable: listening.resume });
    place.take(stream);
    const timer = this.#watchOver(stream, { request, delivery, listening });
    await stream.closed;
    clearInterval(timer);
    listening.stop();
    await this.#record(request, delivery);
  }

  /**
   * Returns where a stream resumes. A resume reads the past, so it reaches as far as a page or an export:
   * throws RANGE_TOO_LONG if the first entry that it would look at is older. Throws HTTP_REQUEST_INVALID.
   */
  async #resumePoint(lastEventId: string | undefined): Promise<ResumePoint | undefined> {
    if (lastEventId === undefined) return undefined;
    if (!/^\d{1,18}$/.test(lastEventId))
      throw new WaltrailError('HTTP_REQUEST_INVALID', 'Last-Event-ID is not the id of an entry.');
    const committedAt = await this.#reader.firstCommitAfter(lastEventId);
    const asOfMs = committedAt === undefined ? Date.now() : Date.parse(committedAt);
    assertResumable({ asOfMs, maxRangeMs: this.#facts.maxRangeMs, nowMs: Date.now() });
    return { after: lastEventId, asOfMs };
  }

  #watchOver(
    stream: SseStream,
    watched: {
      readonly request: GuardedRequest;
      readonly delivery: Delivery;
      readonly listening: Listening;
    },
  ): NodeJS.Timeout {
    const { request, delivery, listening } = watched;
    // The position is sent at once and with every heartbeat, so that a client that reconnects misses nothing
    // even if no entry has matched.
    const sayPosition = (): void => {
      const said: StreamPosition = { behindSeconds: Math.floor(listening.behindMs() / 1000) };
      stream.send([{ event: 'position', id: delivery.position, data: JSON.stringify(said) }]);
    };
    sayPosition();
    let sinceHeartbeat = 0;
    let sinceRecord = 0;
    let stalled = 0;
    return setInterval(() => {
      this.#authenticator.authenticate(request, { byPerson: false }).catch((error: unknown) => {
        // Only a refusal ends the stream. While the trail does not answer, no token is known to be revoked.
        if (isWaltrailError(error) && error.status !== undefined) stream.end();
      });
      stalled = stream.writable ? 0 : stalled + RECHECK_MS;
      if (stalled >= STALLED_MS) stream.destroy();
      sinceRecord += RECHECK_MS;
      if (sinceRecord >= RECORD_MS) {
        sinceRecord = 0;
        void this.#record(request, delivery);
      }
      sinceHeartbeat += RECHECK_MS;
      const isDue = sinceHeartbeat >= HEARTBEAT_MS || listening.behindMs() >= BEHIND_MS;
      if (!isDue || !stream.writable) return;
      sinceHeartbeat = 0;
      sayPosition();
    }, RECHECK_MS);
  }

  /** Records what was delivered since the last row. Never rejects. */
  async #record(request: GuardedRequest, delivery: Delivery): Promise<void> {
    const delivered = delivery.take();
    if (delivered !== undefined) await this.#access.recordDelivered(accessOf(request, 200), delivered);
  }
}
