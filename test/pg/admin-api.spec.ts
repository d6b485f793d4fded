import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { Answer } from '../../src/api/answers.js';
import { revokeTokensNamed } from '../../src/admin/auth/tokens.js';
import { apiGround, type ApiGround } from '../support/api.ts';
import { until } from '../support/until.ts';

interface Page {
  readonly items: readonly { id: string; tenant: string | null; action: string }[];
  readonly next: string | null;
}

let ground: ApiGround;
let admin: string;
let scoped: string;
const ids: string[] = [];

beforeAll(async () => {
  ground = await apiGround();
  admin = await ground.token();
  scoped = await ground.token({ name: 'tenant one', tenant: 'one' });
  ids.push(await ground.add({ tenant: 'one', action: 'block', modifier: { key: '7', name: 'Dana Levi' } }));
  ids.push(
    await ground.add({
      tenant: 'two',
      action: 'add',
      entityName: 'Rival Secret',
      modifier: { key: '9', name: 'Rival' },
    }),
  );
  ids.push(await ground.add({ tenant: 'one', action: 'add', entityId: '13' }));
});
afterAll(async () => ground[Symbol.asyncDispose]());

const page = async (path: string, token = admin): Promise<Page> => {
  const response = await ground.get(path, token);
  expect(response.status).toBe(200);
  return (await response.json()) as Page;
};

describe('reading entries', () => {
  test('a page is newest first, is not cached, and has numbers exactly as PostgreSQL printed them', async () => {
    const response = await ground.get('/v1/entries', admin);
    expect(response.headers.get('content-type')).toBe('application/json; charset=utf-8');
    expect(response.headers.get('cache-control')).toBe('no-store');
    const text = await response.text();
    expect(text).toContain('"balance":12345678901234567890.10');
    expect((JSON.parse(text) as Page).items.map((entry) => entry.id)).toEqual(ids.toReversed());
  });

  test('filters narrow, repeated parameters mean any of them, and cursors lead to the remaining entries', async () => {
    expect((await page('/v1/entries?action=block')).items.map((entry) => entry.id)).toEqual([ids[0]]);
    expect((await page('/v1/entries?action=block&action=add&tenant=one')).items).toHaveLength(2);
    expect((await page('/v1/entries?modifier=')).items.map((entry) => entry.id)).toEqual([ids[2]]);
    expect((await page('/v1/entries?modifier=unattributed')).items).toEqual([]);
    const walked: string[] = [];
    for (let cursor: string | null = ''; cursor !== null && walked.length < 10;) {
      const query: string = cursor === '' ? '' : `&cursor=${encodeURIComponent(cursor)}`;
      const next: Page = await page(`/v1/entries?limit=1${query}`);
      walked.push(...next.items.map((entry) => entry.id));
      cursor = next.next;
    }
    expect(walked).toEqual(ids.toReversed());
  });

  test('single entries, facets, history and status answer', async () => {
    expect(await (await ground.get(`/v1/entries/${ids[0]}`, admin)).json()).toMatchObject({
      id: ids[0],
      action: 'block',
    });
    const facets = (await (await ground.get('/v1/facets', admin)).json()) as { actions: unknown[] };
    expect(facets.actions).toEqual(expect.arrayContaining([{ value: 'add', name: 'add', count: 2 }]));
    expect((await page('/v1/entities/agent/13/history')).items.map((entry) => entry.id)).toEqual([ids[2]]);
    expect(await (await ground.get('/v1/status', admin)).json()).toMatchObject({
      source: 'crm',
      roles: ['api'],
      capture: null,
      trail: { entries: 3, lastCommittedAt: expect.any(String) },
      queue: 'postgres',
      retentionDays: 400,
    });
  });

  test('the status shows the retention that is in force', async () => {
    const shown = async (): Promise<unknown> =>
      ((await (await ground.get('/v1/status', admin)).json()) as { retentionDays: unknown }).retentionDays;
    await ground.pool.query('update trail.retention_floor set days = 500');
    expect(await shown()).toBe(500);
    await ground.pool.query('update trail.retention_floor set days = 30');
    expect(await shown()).toBe(400);
  });
});

describe('a tenant-scoped token', () => {
  test('sees the entries of its tenant only, on every route', async () => {
    expect((await page('/v1/entries', scoped)).items.map((entry) => entry.tenant)).toEqual(['one', 'one']);
    expect((await page('/v1/entries?tenant=one', scoped)).items).toHaveLength(2);
    expect((await page('/v1/entries?q=Rival', scoped)).items).toEqual([]);
    expect((await page('/v1/entities/agent/12/history', scoped)).items.map((entry) => entry.id)).toEqual([
      ids[0],
    ]);
    expect((await ground.get(`/v1/entries/${ids[0]}`, scoped)).status).toBe(200);
    expect((await ground.get(`/v1/entries/${ids[1]}`, scoped)).status).toBe(404);
  });

  test('learns nothing of other tenants from facets and status', async () => {
    const facets = await (await ground.get('/v1/facets', scoped)).text();
    expect(facets).toContain('"value":"one"');
    expect(facets).not.toContain('two');
    expect(facets).not.toContain('Rival');
    expect(await (await ground.get('/v1/status', scoped)).json()).toMatchObject({
      capture: null,
      trail: null,
    });
    expect((await ground.get('/metrics', scoped)).status).toBe(403);
  });

  test('is refused another tenant', async () => {
    for (const route of [
      '/v1/entries?tenant=two',
      '/v1/facets?tenant=two',
      '/v1/entries/stream?tenant=two',
    ]) {
      const response = await ground.get(route, scoped);
      expect(response.status).toBe(403);
      expect(await response.json()).toMatchObject({ code: 'HTTP_FORBIDDEN' });
    }
  });
});

describe('refusals', () => {
  const PROTECTED = [
    '/v1/entries',
    '/v1/entries/1',
    '/v1/entries/stream',
    '/v1/facets',
    '/v1/entities/agent/1/history',
    '/v1/status',
    '/v1/exports',
    '/v1/exports/1',
    '/v1/exports/1/events',
    '/v1/exports/1/file',
    '/v1/session',
    '/metrics',
  ];

  test.each(PROTECTED)('%s needs a token', async (route) => {
    const response = await fetch(new URL(route, ground.daemon.url));
    expect(response.status).toBe(401);
    expect(response.headers.get('www-authenticate')).toMatch(/^Bearer/);
    expect(response.headers.get('content-type')).toBe('application/problem+json; charset=utf-8');
    expect(await response.json()).toMatchObject({ code: 'HTTP_TOKEN_MISSING', status: 401 });
  });

  test.each([
    ['Bearer wt_wrong', 'HTTP_TOKEN_INVALID', 'The API token is unknown, revoked or expired.'],
    ['Basic YTpi', 'HTTP_TOKEN_MISSING', 'The Authorization header holds no bearer token.'],
    ['', 'HTTP_TOKEN_MISSING', 'The Authorization header holds no bearer token.'],
  ])('the authorization "%s" is a 401 with %s', async (authorization, code, detail) => {
    const headers = { authorization };
    const response = await fetch(new URL('/v1/entries', ground.daemon.url), { headers });
    expect(response.status).toBe(401);
    expect(await response.json()).toMatchObject({ code, detail });
  });

  test.each([
    ['/v1/entries?limit=0', 400, 'HTTP_QUERY_INVALID'],
    ['/v1/entries?limit=501', 400, 'HTTP_QUERY_INVALID'],
    ['/v1/entries?entitytype=agent', 400, 'HTTP_QUERY_INVALID'],
    ['/v1/entries?q=a&q=b', 400, 'HTTP_QUERY_INVALID'],
    ['/v1/entries?q=%00', 400, 'HTTP_REQUEST_INVALID'],
    ['/v1/entries?from=yesterday', 400, 'RANGE_INVALID'],
    ['/v1/entries?from=2026-11-08T00:00:00Z&to=2026-11-15T00:00:01Z', 422, 'RANGE_TOO_LONG'],
    ['/v1/facets?from=2026-11-01&to=2026-11-20', 422, 'RANGE_TOO_LONG'],
    ['/v1/facets?cursor=x', 400, 'HTTP_QUERY_INVALID'],
    ['/v1/entries/stream?from=2026-11-01', 400, 'HTTP_QUERY_INVALID'],
    ['/v1/entries/999999999999', 404, 'HTTP_NOT_FOUND'],
    ['/v1/entries/abc', 404, 'HTTP_NOT_FOUND'],
    ['/v1/entries/99999999999999999999999', 404, 'HTTP_NOT_FOUND'],
    ['/v1/nothing', 404, 'HTTP_NOT_FOUND'],
    ['/nothing', 404, 'HTTP_NOT_FOUND'],
    ['/v1/%E0%A4%A', 400, 'HTTP_REQUEST_INVALID'],
  ])('%s is a %i %s', async (route, status, code) => {
    const response = await ground.get(route, admin);
    expect(response.headers.get('content-type')).toBe('application/problem+json; charset=utf-8');
    expect(await response.json()).toMatchObject({
      type: `urn:waltrail:error:${code}`,
      status,
      code,
      remedy: expect.any(String),
    });
    expect(response.status).toBe(status);
  });

  test('a malformed cursor is a 400', async () => {
    for (const cursor of ['nonsense', '%F0%9F%98%80', "1';--", '9'.repeat(400)]) {
      expect((await ground.get(`/v1/entries?cursor=${cursor}`, admin)).status).toBe(400);
      expect((await ground.get(`/v1/entities/agent/1/history?cursor=${cursor}`, admin)).status).toBe(400);
    }
  });

  test('a body that is not JSON, is too large or has another type is refused in the same form', async () => {
    const send = async (body: string, type: string): Promise<unknown> => {
      const response = await ground.get('/v1/exports', admin, {
        method: 'POST',
        body,
        headers: { 'content-type': type },
      });
      expect(response.headers.get('content-type')).toBe('application/problem+json; charset=utf-8');
      return [response.status, ((await response.json()) as { code: string }).code];
    };
    expect(await send('{"format":', 'application/json')).toEqual([400, 'HTTP_REQUEST_INVALID']);
    expect(await send(`{"q":"${'x'.repeat(70_000)}"}`, 'application/json')).toEqual([
      413,
      'HTTP_BODY_TOO_LARGE',
    ]);
    expect(await send('<a/>', 'text/xml')).toEqual([415, 'HTTP_MEDIA_TYPE']);
    expect(await send('format=xlsx', 'application/x-www-form-urlencoded')).toEqual([415, 'HTTP_MEDIA_TYPE']);
    expect(await send('{"foramt":"xlsx"}', 'application/json')).toEqual([400, 'HTTP_BODY_INVALID']);
  });

  test('a revoked token stops working within seconds, an expired one at once', async () => {
    const token = await ground.token({ name: 'leaver' });
    expect((await ground.get('/v1/status', token)).status).toBe(200);
    expect(await revokeTokensNamed(ground.pool, 'leaver')).toBe(1);
    await until(
      'the token to be refused',
      async () => (await ground.get('/v1/status', token)).status === 401,
      5_000,
    );
    const expired = await ground.token({ expiresAt: new Date(Date.now() - 1_000) });
    expect((await ground.get('/v1/status', expired)).status).toBe(401);
  });

  test('a viewer reads, and may not export, list exports or download', async () => {
    const viewer = await ground.token({ name: 'viewer', role: 'viewer' });
    for (const route of ['/v1/entries', '/v1/facets', '/v1/status', `/v1/entries/${ids[0]}`, '/metrics']) {
      expect((await ground.get(route, viewer)).status).toBe(200);
    }
    const exports = '/v1/exports';
    const one = `${exports}/00000000-0000-0000-0000-000000000000`;
    for (const [method, route] of [
      ['GET', exports],
      ['GET', one],
      ['GET', `${one}/file`],
      ['GET', `${one}/events`],
      ['DELETE', one],
    ] as const) {
      expect((await ground.get(route, viewer, { method })).status).toBe(403);
    }
    const body = { method: 'POST', body: '{}', headers: { 'content-type': 'application/json' } };
    expect((await ground.get(exports, viewer, body)).status).toBe(403);
  });
});

describe('health and metrics', () => {
  test('healthz and readyz are open and reveal nothing about the trail', async () => {
    expect(await (await fetch(new URL('/healthz', ground.daemon.url))).json()).toEqual({ status: 'ok' });
    const ready = await fetch(new URL('/readyz', ground.daemon.url));
    expect(ready.status).toBe(200);
    expect(await ready.json()).toEqual({
      ready: true,
      trail: 'up',
      capture: null,
      exportQueue: expect.stringMatching(/^(?:up|down)$/),
    });
  });

  test('metrics are valid Prometheus text with series of bounded number', async () => {
    for (let i = 0; i < 20; i++) {
      await ground.get(`/v1/entries/${i}`, admin);
      await ground.get(`/v1/none-${i}`, admin);
      await ground.get(`/none-${i}`, admin);
    }
    const response = await ground.get('/metrics', admin);
    expect(response.headers.get('content-type')).toMatch(/^text\/plain/);
    const lines = (await response.text()).split('\n').filter((line) => line !== '' && !line.startsWith('#'));
    for (const line of lines)
      expect(line).toMatch(/^[a-z_][a-z0-9_]*(\{([a-z_]+="[^"]*",?)*\})? (-?[0-9.e+-]+|NaN|\+Inf)$/i);
    expect(lines).toContain('waltrail_trail_entries 3');
    expect(
      lines.filter((line) => line.startsWith('waltrail_http_request_duration_seconds_count')).join('\n'),
    ).not.toMatch(/none-|entries\/\d/);
  });

  test('every answer carries the security headers', async () => {
    for (const route of ['/', '/v1/entries', '/healthz', '/nothing']) {
      const { headers } = await fetch(new URL(route, ground.daemon.url));
      expect(headers.get('content-security-policy')).toContain("default-src 'self'");
      expect(headers.get('content-security-policy')).toContain("frame-ancestors 'none'");
      expect(headers.get('content-security-policy')).not.toContain('unsafe');
      expect(headers.get('x-content-type-options')).toBe('nosniff');
      expect(headers.get('x-powered-by')).toBeNull();
    }
  });
});

describe('the access record', () => {
  test('lists who read what from where, with the filters, and who was refused', async () => {
    const reader = await ground.token({ name: 'auditor' });
    await ground.get('/v1/entries?action=block', reader);
    await ground.get('/v1/entries', 'wt_nobody');
    const rows = await ground.trail.query<Record<string, unknown>>(
      `select token_name, role, action, route, filters, status, address from trail.access order by at desc limit 2`,
    );
    expect(rows).toEqual([
      {
        token_name: null,
        role: null,
        action: 'refused',
        route: 'GET /v1/entries',
        filters: null,
        status: 401,
        address: '127.0.0.1',
      },
      {
        token_name: 'auditor',
        role: 'admin',
        action: 'read',
        route: 'GET /v1/entries',
        filters: { action: 'block' },
        status: 200,
        address: '127.0.0.1',
      },
    ]);
  });

  test('no token is in the access record or in a log line', async () => {
    const [{ text } = { text: '' }] = await ground.trail.query<{ text: string }>(
      `select string_agg(access::text, ' ') as text from trail.access`,
    );
    const logged = ground.logged.join('');
    for (const secret of ground.secrets) {
      expect(text).not.toContain(secret);
      expect(logged).not.toContain(secret);
    }
    expect(logged).not.toContain('Omer Katz');
  });
});

test('a list shows a reader of one tenant no name that a modifier has only in entries of another', async () => {
  await using own = await apiGround();
  for (const [tenant, name] of [
    ['one', 'Dana'],
    ['two', 'Rival'],
  ] as const)
    await own.add({ tenant, modifier: { key: '7', name } });
  const namesFor = async (tenant: string | null): Promise<unknown[]> => {
    const token = await own.token({ role: 'viewer', tenant });
    const all = (await (await own.get('/v1/facets', token)).json()) as Answer<'Facets'>;
    const list = (await (await own.get('/v1/facets/modifiers', token)).json()) as Answer<'FacetList'>;
    return [all.modifiers, list.items].map((items) => items.map(({ name, count }) => [name, count]));
  };
  expect(await namesFor('one')).toEqual([[['Dana', 1]], [['Dana', 1]]]);
  expect(await namesFor('two')).toEqual([[['Rival', 1]], [['Rival', 1]]]);
  expect(await namesFor(null)).toEqual([[['Rival', 2]], [['Rival', 2]]]);
});
