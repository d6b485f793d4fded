import { Controller, Get, Inject, Query, Req } from '@nestjs/common';
import type { Answer } from '../../api/answers.js';
import { GapsQuery } from '../../api/requests.js';
import { resolveRange } from '../../trail/read/range.js';
import { Allow, principalOf } from '../auth/guard.js';
import type { GuardedRequest } from '../auth/guard.js';
import { Describe } from './describe.js';
import { withCapture } from './coverage.js';
import { CAPTURE_STATUS, FACTS, rangeLimit } from './facts.js';
import type { CaptureStatusSource, DaemonFacts } from './facts.js';
import { Readings } from './readings.js';

/** Serves the gaps: what the trail may lack. */
@Controller('gaps')
export class GapsController {
  readonly #readings: Readings;
  readonly #facts: DaemonFacts;
  readonly #capture: CaptureStatusSource;

  constructor(
    readings: Readings,
    @Inject(FACTS) facts: DaemonFacts,
    @Inject(CAPTURE_STATUS) capture: CaptureStatusSource,
  ) {
    this.#readings = readings;
    this.#facts = facts;
    this.#capture = capture;
  }

  @Get()
  @Allow('viewer', { record: 'read', polled: true })
  @Describe({
    summary: 'What the trail may lack in the range, newest first',
    answer: 'GapList',
    errors: [400, 401, 403, 422, 429, 503],
  })
  async list(
    @Req() request: GuardedRequest,
    @Query({ schema: GapsQuery }) query: GapsQuery,
  ): Promise<Answer<'GapList'>> {
    const range = resolveRange({
      ...query,
      ...rangeLimit(this.#facts, query.timezone),
      now: new Date(),
    });
    const {
      gaps,
      total,
      coverage: stored,
    } = await this.#readings.run(request, {}, (reader) => reader.gaps(range, { limit: query.limit }));
    const coverage = withCapture(stored, this.#capture());
    if (principalOf(request).tenant === null) return { items: gaps, total, coverage };
    // Every tenant must know that its report may be incomplete, but not which tables there are.
    return { items: gaps.map(({ tables: _tables, ...gap }) => gap), total, coverage };
  }
}
