import { Body, Controller, Get, Headers, HttpCode, Inject, Post, Query, Req, Res } from '@nestjs/common';
import type { FastifyReply } from 'fastify';
import type { EntryFilters } from '../../api/filters.js';
import { StreamQuery, ViewsBody } from '../../api/requests.js';
import { isWaltrailError, WaltrailError } from '../../errors.js';
import type { UnboundedFilter } from '../../trail/read/entry.js';
import { assertResumable } from '../../trail/read/range.js';
import { filterOf } from '../../trail/read/requested-filter.js';
import { AccessRecord, type Access } from '../auth/access.js';
import { accessOf } from '../auth/access-hook.js';
import { Authenticator } from '../auth/authenticator.js';
import { Allow, principalOf } from '../auth/guard.js';
import type { GuardedRequest } from '../auth/guard.js';
import { Delivery } from '../stream/delivery.js';
import { LiveFeed, type ResumePoint } from '../stream/live.js';
import { OpenStreams, STREAM_HEADERS } from '../stream/sse.js';
import { Describe } from './describe.js';
import { FACTS } from './facts.js';
import type { DaemonFacts } from './facts.js';
import { Readings } from './readings.js';
import { WatchedStream, type WatchedView } from './watched-stream.js';

/** A list to follow, checked before the stream begins. */
interface CheckedView {
  readonly filter: UnboundedFilter;
  readonly resume: ResumePoint | undefined;
  readonly access: Access;
}

/** Streams new entries as they arrive. */
@Controller('entries/stream')
export class StreamController {
  readonly #feed: LiveFeed;
  readonly #streams: OpenStreams;
  readonly #authenticator: Authenticator;
  readonly #access: AccessRecord;
  readonly #readings: Readings;
  readonly #facts: DaemonFacts;

  constructor(
    feed: LiveFeed,
    streams: OpenStreams,
    authenticator: Authenticator,
    access: AccessRecord,
    readings: Readings,
    @Inject(FACTS) facts: DaemonFacts,
  ) {
    this.#feed = feed;
    this.#streams = streams;
    this.#authenticator = authenticator;
    this.#access = access;
    this.#readings = readings;
    this.#facts = facts;
  }

  @Get()
  @Allow('viewer', { record: 'watch', polled: true })
  @Describe({
    summary:
      'New entries as server-sent events. Resumes after Last-Event-ID, which may be as old as reports.max_range.',
    answer: 'text/event-stream',
    errors: [400, 401, 403, 422, 429, 503],
  })
  async stream(
    @Req() request: GuardedRequest,
    @Res() reply: FastifyReply,
    @Query({ schema: StreamQuery }) query: StreamQuery,
    @Headers('last-event-id') lastEventId?: string,
  ): Promise<void> {
    const view: CheckedView = {
      filter: filterOf(query, principalOf(request).tenant),
      resume: await this.#resumePoint(request, lastEventId),
      access: accessOf(request, 200),
    };
    if (request.method === 'HEAD') {
      await reply.headers(STREAM_HEADERS).send();
      return;
    }
    await this.#follow(request, reply, { views: [view], isNumbered: false });
  }

  @Post()
  @HttpCode(200)
  @Allow('viewer', { record: 'watch' })
  @Describe({
    summary:
      'The same for several views at once. Events entry.N and position.N belong to view N, counted from 0. Each view resumes after its "after".',
    answer: 'text/event-stream',
    errors: [400, 401, 403, 413, 415, 422, 429, 503],
  })
  async streamViews(
    @Req() request: GuardedRequest,
    @Res() reply: FastifyReply,
    @Body({ schema: ViewsBody }) body: ViewsBody,
  ): Promise<void> {
    const views: CheckedView[] = [];
    for (const [index, view] of body.views.entries())
      views.push(await this.#checked(request, { index, view }));
    await this.#follow(request, reply, { views, isNumbered: true });
  }

  /** Checks one of several views. The error names the view, so that a client can leave it out. */
  async #checked(
    request: GuardedRequest,
    { index, view }: { readonly index: number; readonly view: EntryFilters & { after?: string | undefined } },
  ): Promise<CheckedView> {
    const { after, ...filters } = view;
    try {
      return {
        filter: filterOf(filters, principalOf(request).tenant),
        resume: await this.#resumePoint(request, after),
        access: { ...accessOf(request, 200), filters: view },
      };
    } catch (error) {
      if (!isWaltrailError(error)) throw error;
      const errors = [{ path: `views.${index}`, message: error.message }];
      throw new WaltrailError(error.code, error.message, {
        remedy: error.remedy,
        details: { ...error.details, errors },
        cause: error,
      });
    }
  }

  /** Resolves when the stream is closed. */
  async #follow(
    request: GuardedRequest,
    reply: FastifyReply,
    { views, isNumbered }: { readonly views: readonly CheckedView[]; readonly isNumbered: boolean },
  ): Promise<void> {
    const principal = principalOf(request);
    const place = this.#streams.reserve(principal, views.length);
    const watched = new WatchedStream({
      request,
      authenticator: this.#authenticator,
      access: this.#access,
      isNumbered,
    });
    const followed: WatchedView[] = [];
    try {
      await this.#access.record(accessOf(request, 200));
      for (const [index, { filter, resume, access }] of views.entries()) {
        const listening = await this.#feed.listen({
          owner: principal.tokenId,
          filter,
          resume,
          ready: () => watched.writable,
          deliver: (entry) => watched.deliver(index, entry),
          reached: (position) => watched.reached(index, position),
        });
        followed.push({ listening, delivery: new Delivery(listening.position), access });
      }
    } catch (error) {
      for (const { listening } of followed) listening.stop();
      place.free();
      throw error;
    }
    place.take(watched.begin(reply, followed));
    await watched.watch();
  }

  /**
   * Returns where a stream resumes. A resume reads the past, so it has the limit of pages and exports: throws
   * RANGE_TOO_LONG if the first entry to read is older. Throws HTTP_REQUEST_INVALID.
   */
  async #resumePoint(
    request: GuardedRequest,
    lastEventId: string | undefined,
  ): Promise<ResumePoint | undefined> {
    if (lastEventId === undefined) return undefined;
    if (!/^\d{1,18}$/.test(lastEventId))
      throw new WaltrailError('HTTP_REQUEST_INVALID', 'Last-Event-ID is not the id of an entry.');
    const committedAt = await this.#readings.run(request, {}, (reader) =>
      reader.firstCommitAfter(lastEventId),
    );
    const asOfMs = committedAt === undefined ? Date.now() : Date.parse(committedAt);
    assertResumable({ asOfMs, maxRangeMs: this.#facts.maxRangeMs, nowMs: Date.now() });
    return { after: lastEventId, asOfMs };
  }
}
