import { Controller, Get, Query, Req } from '@nestjs/common';
import type { Answer } from '../../api/answers.js';
import { GapsQuery } from '../../api/requests.js';
import { Allow, principalOf } from '../auth/guard.js';
import type { GuardedRequest } from '../auth/guard.js';
import { Describe } from './describe.js';
import { Reports } from './reports.js';

/** Serves the gaps: where changes may be missing from the trail. */
@Controller('gaps')
export class GapsController {
  readonly #reports: Reports;

  constructor(reports: Reports) {
    this.#reports = reports;
  }

  @Get()
  @Allow('viewer', { record: 'read', polled: true })
  @Describe({
    summary: 'Gaps in the range, where changes may be missing from the trail; newest first',
    answer: 'GapList',
    errors: [400, 401, 403, 422, 429, 503],
  })
  async list(
    @Req() request: GuardedRequest,
    @Query({ schema: GapsQuery }) query: GapsQuery,
  ): Promise<Answer<'GapList'>> {
    const range = this.#reports.range(query);
    const {
      gaps,
      total,
      coverage: stored,
    } = await this.#reports.readings.run(request, {}, (reader) => reader.gaps(range, { limit: query.limit }));
    const coverage = this.#reports.coverage(stored);
    if (principalOf(request).tenant === null) return { items: gaps, total, coverage };
    // Every tenant must learn that its report may be incomplete, but not which tables exist.
    return { items: gaps.map(({ tables: _tables, ...gap }) => gap), total, coverage };
  }
}
