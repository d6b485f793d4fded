import { Controller, Get, Inject, Query, Req } from '@nestjs/common';
import type { Answer } from '../../api/answers.js';
import { GapsQuery } from '../../api/requests.js';
import { resolveRange } from '../../trail/read/range.js';
import { Allow, principalOf } from '../auth/guard.js';
import type { GuardedRequest } from '../auth/guard.js';
import { Describe } from './describe.js';
import { FACTS } from './facts.js';
import type { DaemonFacts } from './facts.js';
import { Readings } from './readings.js';

/** Serves the gaps: what the trail may lack. */
@Controller('gaps')
export class GapsController {
  readonly #readings: Readings;
  readonly #facts: DaemonFacts;

  constructor(readings: Readings, @Inject(FACTS) facts: DaemonFacts) {
    this.#readings = readings;
    this.#facts = facts;
  }

  @Get()
  @Allow('viewer', { record: 'read' })
  @Describe({
    summary: 'What the trail may lack in the range, newest first',
    answer: 'GapList',
    errors: [400, 401, 403, 422, 429, 503],
  })
  async list(
    @Req() request: GuardedRequest,
    @Query({ schema: GapsQuery }) query: GapsQuery,
  ): Promise<Answer<'GapList'>> {
    const range = resolveRange({ ...query, maxRangeMs: this.#facts.maxRangeMs, now: new Date() });
    const { gaps, total } = await this.#readings.run(request, {}, (reader) =>
      reader.gaps(range, { limit: query.limit }),
    );
    if (principalOf(request).tenant === null) return { items: gaps, total };
    // Every tenant must know that its report may be incomplete, but not which tables there are.
    return { items: gaps.map(({ tables: _tables, ...gap }) => gap), total };
  }
}
