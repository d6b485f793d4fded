import { Controller, Get, Headers, Query, Req, Res } from '@nestjs/common';
import type { FastifyReply } from 'fastify';
import { StreamQuery } from '../../api/requests.js';
import { isWaltrailError, WaltrailError } from '../../errors.js';
import { entryToJson } from '../../trail/read/json.js';
import { filterOf } from '../../trail/read/requested-filter.js';
import { AccessRecord } from '../auth/access.js';
import { Allow, principalOf } from '../auth/guard.js';
import type { GuardedRequest } from '../auth/guard.js';
import { Authenticator } from '../auth/authenticator.js';
import { Describe } from './describe.js';
import { LiveFeed } from '../stream/live.js';
import { OpenStreams, SseStream } from '../stream/sse.js';
import { accessOf } from '../auth/access-hook.js';

const HEARTBEAT_MS = 15_000;
/**
 * Interval between two checks of a stream's token. After its token was revoked, a stream ends within this
 * time and that for which principals are cached.
 */
const RECHECK_MS = 5_000;
/** A client that has not read for this long counts as gone. */
const STALLED_MS = 60_000;

/** Streams new entries as they arrive. */
@Controller('entries/stream')
export class StreamController {
  readonly #feed: LiveFeed;
  readonly #streams: OpenStreams;
  readonly #authenticator: Authenticator;
  readonly #access: AccessRecord;

  constructor(feed: LiveFeed, streams: OpenStreams, authenticator: Authenticator, access: AccessRecord) {
    this.#feed = feed;
    this.#streams = streams;
    this.#authenticator = authenticator;
    this.#access = access;
  }

  @Get()
  @Allow('viewer', { record: 'watch' })
  @Describe({
    summary: 'New entries as server-sent events; resumes after Last-Event-ID',
    answer: 'text/event-stream',
    errors: [400, 401, 403, 503],
  })
  async stream(
    @Req() request: GuardedRequest,
    @Res() reply: FastifyReply,
    @Query({ schema: StreamQuery }) query: StreamQuery,
    @Headers('last-event-id') lastEventId?: string,
  ): Promise<void> {
    if (this.#streams.isFull)
      throw new WaltrailError('HTTP_TOO_MANY_STREAMS', 'Too many live streams are open.');
    if (lastEventId !== undefined && !/^\d{1,18}$/.test(lastEventId)) {
      throw new WaltrailError('HTTP_REQUEST_INVALID', 'Last-Event-ID is not the id of an entry.');
    }
    const filter = filterOf(query, principalOf(request).tenant);
    await this.#access.record(accessOf(request, 200));
    let stream: SseStream | undefined = undefined;
    let position: string | undefined;
    const listening = await this.#feed.listen({
      filter,
      after: lastEventId,
      ready: () => stream?.writable ?? false,
      deliver: (entry) => {
        position = entry.id;
        stream?.send([{ id: entry.id, data: entryToJson(entry) }]);
      },
      reached: (reached) => (position = reached),
    });
    stream = new SseStream(reply, { onWritable: listening.resume });
    this.#streams.add(stream);
    // The position is sent at once and with every heartbeat, so that a client that reconnects misses nothing
    // even if no entry has matched.
    stream.send([{ id: listening.position }]);
    const timer = this.#watchOver(stream, request, () => position ?? listening.position);
    await stream.closed;
    clearInterval(timer);
    listening.stop();
  }

  #watchOver(stream: SseStream, request: GuardedRequest, position: () => string): NodeJS.Timeout {
    let sinceHeartbeat = 0;
    let stalled = 0;
    return setInterval(() => {
      this.#authenticator.authenticate(request).catch((error: unknown) => {
        // Only a refusal ends the stream. While the trail does not answer, no token is known to be revoked.
        if (isWaltrailError(error) && error.status !== undefined) stream.end();
      });
      stalled = stream.writable ? 0 : stalled + RECHECK_MS;
      if (stalled >= STALLED_MS) stream.destroy();
      sinceHeartbeat += RECHECK_MS;
      if (sinceHeartbeat < HEARTBEAT_MS || !stream.writable) return;
      sinceHeartbeat = 0;
      stream.send([{ comment: 'heartbeat', id: position() }]);
    }, RECHECK_MS);
  }
}
