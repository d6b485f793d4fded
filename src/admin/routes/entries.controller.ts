import { Controller, Get, Header, Param, Query, Req } from '@nestjs/common';
import type { Answer } from '../../api/answers.js';
import {
  EntriesQuery,
  FACET_LISTS,
  FacetListQuery,
  FacetsQuery,
  HistoryQuery,
  NoQuery,
} from '../../api/requests.js';
import { WaltrailError } from '../../errors.js';
import type { EntryPage } from '../../trail/read/entry.js';
import { entryToJson } from '../../trail/read/json.js';
import { filterOf } from '../../trail/read/requested-filter.js';
import { Allow, principalOf } from '../auth/guard.js';
import type { GuardedRequest } from '../auth/guard.js';
import { Describe } from './describe.js';
import { Reports } from './reports.js';

const JSON_TYPE = 'application/json; charset=utf-8';

/**
 * Serves the entries of the trail. Entries are sent as the JSON text that the trail prints, so no number
 * is converted to a double.
 */
@Controller()
export class EntriesController {
  readonly #reports: Reports;

  constructor(reports: Reports) {
    this.#reports = reports;
  }

  @Get('entries')
  @Allow('viewer', { record: 'read' })
  @Header('Content-Type', JSON_TYPE)
  @Describe({
    summary: 'Entries, newest first',
    answer: 'EntryPage',
    errors: [400, 401, 403, 422, 429, 503],
  })
  async page(
    @Req() request: GuardedRequest,
    @Query({ schema: EntriesQuery }) query: EntriesQuery,
  ): Promise<string> {
    const filter = { ...filterOf(query, principalOf(request).tenant), ...this.#reports.range(query) };
    return this.#pageToJson(
      await this.#reports.readings.run(request, query, (reader) => reader.page(filter, pageOf(query))),
    );
  }

  @Get('entries/:id')
  @Allow('viewer', { record: 'read' })
  @Header('Content-Type', JSON_TYPE)
  @Describe({ summary: 'One entry', answer: 'Entry', errors: [400, 401, 403, 404, 429, 503] })
  async entry(
    @Req() request: GuardedRequest,
    @Param('id') id: string,
    @Query({ schema: NoQuery }) _query: NoQuery,
  ): Promise<string> {
    const { tenant } = principalOf(request);
    // For this token, an entry of another tenant does not exist: a 403 would reveal that it does.
    const entry = await this.#reports.readings.run(request, {}, (reader) =>
      reader.entry(id, { scope: tenant }),
    );
    if (entry === undefined) {
      throw new WaltrailError('HTTP_NOT_FOUND', 'There is no entry of this id.', {
        remedy: 'Take the id from GET /v1/entries. Entries older than the retention no longer exist.',
      });
    }
    return entryToJson(entry);
  }

  @Get('facets')
  @Allow('viewer', { record: 'read', polled: true })
  @Describe({
    summary: 'The most frequent values for the filters in the range, with their numbers of entries',
    answer: 'Facets',
    errors: [400, 401, 403, 422, 429, 503],
  })
  async facets(
    @Req() request: GuardedRequest,
    @Query({ schema: FacetsQuery }) query: FacetsQuery,
  ): Promise<Answer<'Facets'>> {
    const { tenant } = principalOf(request);
    const filter = { ...filterOf(query, tenant), ...this.#reports.range(query) };
    const facets = await this.#reports.readings.run(request, query, (reader) => reader.facets(filter, query));
    if (tenant === null) return facets;
    // A facet is counted without its own filter, so this one counts every tenant.
    return { ...facets, tenants: facets.tenants.filter((facet) => facet.value === tenant) };
  }

  @Get('facets/:list')
  @Allow('viewer', { record: 'read' })
  @Describe({
    summary:
      'The same for one list (modifiers, actingAs, actions, entityTypes or tenants), which can be searched',
    answer: 'FacetList',
    errors: [400, 401, 403, 404, 422, 429, 503],
  })
  async facetList(
    @Req() request: GuardedRequest,
    @Param('list') list: string,
    @Query({ schema: FacetListQuery }) query: FacetListQuery,
  ): Promise<Answer<'FacetList'>> {
    const asked = FACET_LISTS.find((name) => name === list);
    if (asked === undefined)
      throw new WaltrailError('HTTP_NOT_FOUND', `There is no list of facets with this name.`, {
        remedy: `The lists are ${FACET_LISTS.join(', ')}.`,
      });
    const { tenant } = principalOf(request);
    const filter = { ...filterOf(query, tenant), ...this.#reports.range(query) };
    const { limit, search } = query;
    return this.#reports.readings.run(request, query, (reader) =>
      reader.facetList(filter, { list: asked, limit, search }),
    );
  }

  @Get('entities/:type/:id/history')
  @Allow('viewer', { record: 'read' })
  @Header('Content-Type', JSON_TYPE)
  @Describe({
    summary: 'Everything that happened to one entity, newest first',
    answer: 'EntryPage',
    errors: [400, 401, 403, 429, 503],
  })
  async history(
    @Req() request: GuardedRequest,
    @Param('type') type: string,
    @Param('id') id: string,
    @Query({ schema: HistoryQuery }) query: HistoryQuery,
  ): Promise<string> {
    const { tenant } = principalOf(request);
    return this.#pageToJson(
      await this.#reports.readings.run(request, {}, (reader) =>
        reader.history({ type, id, ...pageOf(query), scope: tenant }),
      ),
    );
  }

  #pageToJson({ items, next, coverage }: EntryPage): string {
    const shown = JSON.stringify(this.#reports.coverage(coverage));
    return `{"items":[${items.map(entryToJson).join(',')}],"next":${JSON.stringify(next)},"coverage":${shown}}`;
  }
}

const pageOf = (query: HistoryQuery): { limit: number; cursor?: string } => ({
  limit: query.limit,
  ...(query.cursor === undefined ? {} : { cursor: query.cursor }),
});
