import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { ANSWERS, type Answer, type AnswerName } from '../../src/api/answers.js';
import { expectAnswer } from '../support/answers.ts';
import { apiGround, type ApiGround } from '../support/api.ts';
import { addGap } from '../support/gaps.ts';
import { readEvents } from '../support/sse.ts';

interface Media {
  readonly schema: { readonly $ref?: string };
}
interface Document {
  readonly paths: Readonly<
    Record<
      string,
      Readonly<Record<string, { responses: Record<string, { content?: Record<string, Media> }> }>>
    >
  >;
}

let ground: ApiGround;
let document: Document;
let admin: string;
let scoped: string;
let entry: string;
const met = new Set<AnswerName>();

beforeAll(async () => {
  // With the role capture, and with a source that does not exist: the status reports that.
  ground = await apiGround({ roles: ['capture', 'api', 'exports'] });
  admin = await ground.token();
  scoped = await ground.token({ role: 'exporter', tenant: 'one' });
  entry = await ground.add({ tenant: 'one', modifier: { key: '7', name: 'Dana Levi' } });
  await ground.add({ entityName: 'Nobody known did this' });
  await ground.trail.query(
    `update trail.entry set extra = '{"context": {"ticket": 7}, "origin": "mobile", "claimedCommitAt": "infinity",
       "unread": {"lsn": "0/1", "reason": "no JSON"}}' where id = ${entry}`,
  );
  await addGap(ground.pool, { tables: ['public.agents'], lastEntryAt: new Date().toISOString() });
  await addGap(ground.pool);
  document = (await (await ground.get('/v1/openapi.json', admin)).json()) as Document;
});
afterAll(async () => ground[Symbol.asyncDispose]());

/**
 * Sends a request, and compares the answer with the OpenAPI document's schema for the route (as `GET
 * /v1/entries/{id}`) and the status.
 */
async function ask<Name extends AnswerName>(
  route: string,
  options: { url?: string; token?: string; status?: number; body?: unknown } = {},
): Promise<Answer<Name>> {
  const [method = '', path = ''] = route.split(' ');
  const { url = path, token = admin, status = 200, body } = options;
  const response = await ground.get(url, token, {
    method,
    ...(body === undefined
      ? {}
      : { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
  });
  expect([route, response.status]).toEqual([route, status]);
  const content = document.paths[path]?.[method.toLowerCase()]?.responses[status]?.content ?? {};
  const media = response.headers.get('content-type')!.split(';')[0]!;
  const name = content[media]!.schema.$ref!.split('/').at(-1) as AnswerName;
  const answer: unknown = await response.json();
  expectAnswer(name, answer);
  met.add(name);
  return answer as Answer<Name>;
}

describe('every answer of the API matches its schema', () => {
  test('for entries', async () => {
    const page = await ask<'EntryPage'>('GET /v1/entries', { url: '/v1/entries?limit=1' });
    expect(page.next).not.toBeNull();
    const { items } = await ask<'EntryPage'>('GET /v1/entries');
    expect(items.map(({ modifier }) => modifier.rung)).toEqual([
      'waltrail',
      'waltrail',
      'unattributed',
      'column',
    ]);
    const one = await ask<'Entry'>('GET /v1/entries/{id}', { url: `/v1/entries/${entry}` });
    expect(one).toMatchObject({ transaction: { origin: 'mobile' }, unreadMessage: { reason: 'no JSON' } });
    await ask('GET /v1/entities/{type}/{id}/history', { url: '/v1/entities/agent/12/history' });
    for (const token of [admin, scoped]) {
      const { modifiers } = await ask<'Facets'>('GET /v1/facets', { token });
      for (const facet of modifiers) expectAnswer('Facet', facet);
      expect(modifiers.length).toBeGreaterThan(0);
      met.add('Facet');
      await ask('GET /v1/facets/{list}', { url: '/v1/facets/actions', token });
    }
  });

  test('for the live stream', async () => {
    await using events = await readEvents(`${ground.daemon.url}/v1/entries/stream`, {
      authorization: `Bearer ${admin}`,
    });
    await ground.add();
    expectAnswer('Entry', JSON.parse((await events.next()).data!));
  });

  test('for gaps, also for a reader who may not see tables', async () => {
    for (const token of [admin, scoped]) {
      const { items } = await ask<'GapList'>('GET /v1/gaps', { token });
      for (const gap of items) expectAnswer('Gap', gap);
      expect(items.map(({ scope, tables }) => [scope, tables])).toEqual(
        token === admin
          ? [
              ['stream', null],
              ['tables', ['public.agents']],
            ]
          : [
              ['stream', undefined],
              ['tables', undefined],
            ],
      );
      met.add('Gap');
    }
  });

  test('for the status, with every field and with those that a tenant sees', async () => {
    const status = await ask<'Status'>('GET /v1/status');
    expect(status).toMatchObject({
      capture: { slot: 'waltrail' },
      trail: { source: 'crm' },
      gaps: { open: 2 },
    });
    expect(await ask<'Status'>('GET /v1/status', { token: scoped })).toMatchObject({ capture: null });
  });

  test('for a session', async () => {
    await ask('POST /v1/session', { body: { token: admin } });
    await ask('GET /v1/session', { token: scoped });
  });

  test('for an export, while it runs and when it is ready', async () => {
    const body = { action: ['add'], modifier: [''], format: 'csv' };
    const { id } = await ask<'Export'>('POST /v1/exports', { body, status: 202 });
    await using events = await readEvents(`${ground.daemon.url}/v1/exports/${id}/events`, {
      authorization: `Bearer ${admin}`,
    });
    let last: Answer<'Export'>;
    do {
      last = JSON.parse((await events.next(20_000)).data!) as Answer<'Export'>;
      expectAnswer('Export', last);
    } while (last.state === 'queued' || last.state === 'running');
    expect(await ask<'Export'>('GET /v1/exports/{id}', { url: `/v1/exports/${id}` })).toEqual(last);
    expect((await ask<'ExportList'>('GET /v1/exports')).items).toEqual([last]);
  });

  test.each([
    ['GET /v1/entries', '/v1/entries?limit=0&q=', 400],
    ['GET /v1/entries', '/v1/entries?from=2026-11-01&to=2026-11-20', 422],
    ['GET /v1/entries', '/v1/entries?tenant=two', 403],
    ['GET /v1/entries/{id}', '/v1/entries/1', 404],
    ['GET /v1/exports/{id}', `/v1/exports/${randomUUID()}`, 404],
  ])('for a problem: %s as %s answers %i', async (route, url, status) => {
    const problem = await ask<'Problem'>(route, { url, status, token: status === 403 ? scoped : admin });
    expect(problem.status).toBe(status);
  });

  test('for a request without a token', async () => {
    await ask('GET /v1/status', { token: 'wt_nobody', status: 401 });
  });

  test('for health', async () => {
    await ask('GET /healthz');
    // Capture cannot begin, so the answer is a 503 here.
    expectAnswer('Readiness', await (await ground.get('/readyz', admin)).json());
    met.add('Readiness');
  });

  test('for every schema of the document', () => {
    expect([...met].sort()).toEqual(Object.keys(ANSWERS).sort());
  });
});
