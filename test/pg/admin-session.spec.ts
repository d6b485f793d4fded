import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { revokeTokensNamed } from '../../src/admin/auth/tokens.js';
import { apiGround, type ApiGround } from '../support/api.ts';
import { readEvents } from '../support/sse.ts';

let ground: ApiGround;
beforeAll(async () => {
  ground = await apiGround();
});
afterAll(async () => ground[Symbol.asyncDispose]());

const signIn = (token: unknown, headers: Readonly<Record<string, string>> = {}): Promise<Response> =>
  fetch(`${ground.daemon.url}/v1/session`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify({ token }),
  });

const cookieOf = (response: Response): string => response.headers.get('set-cookie')!.split(';')[0]!;
const withCookie = (route: string, cookie: string, init: RequestInit = {}): Promise<Response> =>
  fetch(new URL(route, ground.daemon.url), { ...init, headers: { cookie, ...init.headers } });

describe('signing in', () => {
  test('an API token sets a cookie that scripts and other sites cannot use, and that reads the trail', async () => {
    const response = await signIn(await ground.token({ name: 'Ada' }));
    expect(response.status).toBe(200);
    const attributes = response.headers.get('set-cookie')!;
    expect(attributes).toMatch(
      /^waltrail_session_[0-9a-f]{8}=[\w-]{43}; Path=\/; HttpOnly; SameSite=Strict; Max-Age=\d+$/,
    );
    const session = {
      name: 'Ada',
      role: 'admin',
      tenant: null,
      maxRangeDays: 7,
      calendarDays: true,
      timezone: 'Europe/Berlin',
      source: 'crm',
    };
    expect(await response.json()).toEqual(session);
    const cookie = `theme=dark; ${cookieOf(response)}; other=1`;
    expect(await (await withCookie('/v1/session', cookie)).json()).toEqual(session);
    expect((await withCookie('/v1/entries', cookie)).status).toBe(200);
  });

  test('with HTTPS the cookie is Secure and no other host can set it; only a trusted proxy may state HTTPS', async () => {
    const https = { 'x-forwarded-proto': 'https', 'x-forwarded-for': '203.0.113.7' };
    const plain = await signIn(await ground.token(), https);
    expect(plain.headers.get('set-cookie')).not.toContain('Secure');
    await using own = await apiGround({ environment: { WALTRAIL_TRUSTED_PROXIES: '127.0.0.0/8, ::1' } });
    const response = await fetch(`${own.daemon.url}/v1/session`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...https },
      body: JSON.stringify({ token: await own.token({ name: 'proxied' }) }),
    });
    expect(response.headers.get('set-cookie')).toMatch(
      /^__Host-waltrail_session_[0-9a-f]{8}=[^;]+; Path=\/; .*; Secure$/,
    );
    const signedIn = await fetch(`${own.daemon.url}/v1/session`, {
      headers: { cookie: cookieOf(response), ...https },
    });
    expect(signedIn.status).toBe(200);
    const rows = await own.trail.query(`select address from trail.access where token_name = 'proxied'`);
    expect(rows).toEqual([{ address: '203.0.113.7' }]);
  });

  test('with a public URL only its origin may act, whatever the Host header is, and that URL is shown', async () => {
    await using own = await apiGround({ environment: { WALTRAIL_PUBLIC_URL: 'https://audit.example.com' } });
    expect(own.daemon.pageUrl).toBe('https://audit.example.com');
    const token = await own.token();
    const signInFrom = (origin: string): Promise<Response> =>
      fetch(`${own.daemon.url}/v1/session`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', origin, 'sec-fetch-site': 'same-origin' },
        body: JSON.stringify({ token }),
      });
    expect((await signInFrom(own.daemon.url)).status).toBe(403);
    expect((await signInFrom('http://audit.example.com')).status).toBe(403);
    const response = await signInFrom('https://audit.example.com');
    expect(response.status).toBe(200);
    expect(response.headers.get('set-cookie')).toMatch(/^__Host-.*; Secure$/);
  });

  test('a sign-in code works once, even when two browsers use it at the same moment, and is no API token', async () => {
    const code = await ground.token({ singleUse: true, expiresAt: new Date(Date.now() + 60_000) });
    expect((await ground.get('/v1/status', code)).status).toBe(401);
    const statuses = (await Promise.all([signIn(code), signIn(code), signIn(code)])).map(
      (response) => response.status,
    );
    expect(statuses.sort()).toEqual([200, 401, 401]);
    const again = await signIn(code);
    expect(again.status).toBe(401);
    expect(await again.json()).toMatchObject({ code: 'HTTP_SIGN_IN_REFUSED' });
  });

  test('a session of a sign-in code outlives the code', async () => {
    const cookie = cookieOf(
      await signIn(await ground.token({ singleUse: true, expiresAt: new Date(Date.now() + 1_000) })),
    );
    await new Promise((resolve) => setTimeout(resolve, 3_100));
    expect((await withCookie('/v1/status', cookie)).status).toBe(200);
  });

  test('an expired code, an unknown token and a body without one are refused', async () => {
    expect(
      (await signIn(await ground.token({ singleUse: true, expiresAt: new Date(Date.now() - 1) }))).status,
    ).toBe(401);
    expect((await signIn('wt_unknown')).status).toBe(401);
    expect((await signIn('')).status).toBe(400);
    expect((await signIn(7)).status).toBe(400);
  });

  test('signing out ends the session and removes the cookie', async () => {
    const cookie = cookieOf(await signIn(await ground.token()));
    const headers = { 'sec-fetch-site': 'same-origin' };
    const response = await withCookie('/v1/session', cookie, { method: 'DELETE', headers });
    expect(response.status).toBe(204);
    expect(response.headers.get('set-cookie')).toContain('Max-Age=0');
    expect((await withCookie('/v1/session', cookie)).status).toBe(401);
  });

  test('a session ends when it is idle for the configured time; automatic requests of an open page do not count', async () => {
    await using own = await apiGround({ environment: { WALTRAIL_SESSION_IDLE_MINUTES: '30' } });
    const response = await fetch(`${own.daemon.url}/v1/session`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ token: await own.token() }),
    });
    const cookie = cookieOf(response);
    const at = (route: string): Promise<Response> =>
      fetch(new URL(route, own.daemon.url), { headers: { cookie } });
    const idleMinutes = async (): Promise<number> => {
      const [row] = await own.trail.query<{ idle: number }>(
        `select round(extract(epoch from clock_timestamp() - used_at) / 60)::int as idle from trail.session`,
      );
      return row!.idle;
    };
    await own.trail.query(`update trail.session set used_at = used_at - interval '29 minutes'`);
    for (const polled of ['/v1/status', '/v1/gaps', '/v1/facets', '/v1/exports', '/v1/session', '/metrics'])
      expect([polled, (await at(polled)).status, await idleMinutes()]).toEqual([polled, 200, 29]);
    await using stream = await readEvents(`${own.daemon.url}/v1/entries/stream`, { cookie });
    expect(stream.response.status).toBe(200);
    expect((await at('/v1/entries')).status).toBe(200);
    expect(await idleMinutes()).toBe(0);
    await own.trail.query(`update trail.session set used_at = used_at - interval '31 minutes'`);
    // The stream checks again whether the session exists. That answer may be 2 s old.
    await stream.ended(15_000);
    expect((await at('/v1/entries')).status).toBe(401);
    // The next sign-in removes the session.
    await fetch(`${own.daemon.url}/v1/session`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ token: await own.token() }),
    });
    expect(await own.trail.query('select from trail.session')).toHaveLength(1);
  });

  test('by default a session ends after 8 idle hours, and after 12 hours in any case', async () => {
    await signIn(await ground.token({ name: 'default' }));
    const rows = await ground.trail.query(
      `select extract(epoch from idle) / 3600 as idle, round(extract(epoch from s.expires_at - s.created_at) / 3600) as hours
         from trail.session s join trail.token t on t.id = token_id where name = 'default'`,
    );
    expect(rows).toEqual([{ idle: expect.stringMatching(/^8\.?0*$/), hours: '12' }]);
  });

  test('revoking the token ends its sessions', async () => {
    const cookie = cookieOf(await signIn(await ground.token({ name: 'leaver' })));
    await revokeTokensNamed(ground.pool, 'leaver');
    expect((await withCookie('/v1/session', cookie)).status).toBe(401);
  });

  test('signing in is recorded, without the token', async () => {
    const token = await ground.token({ name: 'recorded' });
    await signIn(token);
    const rows = await ground.trail.query(
      `select action, filters, status from trail.access where token_name = 'recorded'`,
    );
    expect(rows).toEqual([{ action: 'sign_in', filters: null, status: 200 }]);
  });
});

describe('another site', () => {
  const change = (cookie: string, headers: Record<string, string>): Promise<Response> =>
    withCookie('/v1/exports', cookie, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body: '{"format":"nonsense"}',
    });

  test('cannot act with the session of a browser', async () => {
    const cookie = cookieOf(await signIn(await ground.token()));
    const { host } = new URL(ground.daemon.url);
    const refused = [
      { 'sec-fetch-site': 'cross-site' },
      { 'sec-fetch-site': 'same-site' },
      { 'sec-fetch-site': 'none' },
      { origin: 'https://evil.example' },
      { origin: 'null' },
      { origin: `http://${host}1` },
      {},
    ];
    for (const headers of refused) {
      const response = await change(cookie, headers as Record<string, string>);
      expect(response.status).toBe(403);
      expect(await response.json()).toMatchObject({ code: 'HTTP_CROSS_SITE' });
    }
    // The page itself passes, as far as the check of the body.
    expect((await change(cookie, { 'sec-fetch-site': 'same-origin' })).status).toBe(400);
    expect((await change(cookie, { origin: `http://${host}` })).status).toBe(400);
  });

  test('cannot sign a browser in', async () => {
    const response = await signIn(await ground.token(), { 'sec-fetch-site': 'cross-site' });
    expect(response.status).toBe(403);
    expect(response.headers.get('set-cookie')).toBeNull();
  });

  test('a wrong bearer token does not fall back to the cookie', async () => {
    const cookie = cookieOf(await signIn(await ground.token()));
    expect(
      (await withCookie('/v1/entries', cookie, { headers: { authorization: 'Bearer wt_wrong' } })).status,
    ).toBe(401);
  });
});

describe('failed attempts', () => {
  const attempt = (own: ApiGround, token: string): Promise<Response> =>
    fetch(`${own.daemon.url}/v1/session`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ token }),
    });

  test('are limited by address, and lock out nobody who has a valid token', async () => {
    await using own = await apiGround();
    const statuses: number[] = [];
    for (let i = 0; i < 40; i++) statuses.push((await attempt(own, 'wt_guess')).status);
    expect(statuses).toEqual([...Array<number>(30).fill(401), ...Array<number>(10).fill(429)]);
    const response = await attempt(own, 'wt_guess');
    expect(Number(response.headers.get('retry-after'))).toBeGreaterThan(0);
    expect(await response.json()).toMatchObject({ code: 'HTTP_TOO_MANY_REQUESTS' });
    const token = await own.token();
    expect((await attempt(own, token)).status).toBe(200);
    expect((await own.get('/v1/entries', token)).status).toBe(200);
    // Guessed tokens and failed sign-ins count together.
    expect((await own.get('/v1/entries', 'wt_guess')).status).toBe(429);
  });

  test('are limited with a bearer token as sign-ins are; successful sign-ins are not limited', async () => {
    await using own = await apiGround();
    for (let i = 0; i < 30; i++) expect((await own.get('/v1/status', `wt_${i}`)).status).toBe(401);
    expect((await own.get('/v1/status', 'wt_30')).status).toBe(429);
    const token = await own.token();
    for (let i = 0; i < 40; i++) expect((await attempt(own, token)).status).toBe(200);
  });

  test('do not keep the refusal of a known token, with its filters, out of the record', async () => {
    await using own = await apiGround();
    for (let i = 0; i < 130; i++) await own.get('/v1/entries', 'wt_guess');
    const token = await own.token({ name: 'Eve', role: 'viewer' });
    const asked = { format: 'csv', entity: 'a\0b', q: token };
    await own.get('/v1/exports', token, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(asked),
    });
    await own.get('/v1/entries?tenant=two', await own.token({ name: 'Eve', role: 'viewer', tenant: 'one' }));
    const rows = await own.trail.query(
      `select action, route, filters, status from trail.access where token_name = 'Eve' order by at`,
    );
    expect(rows).toEqual([
      {
        action: 'refused',
        route: 'POST /v1/exports',
        filters: { format: 'csv', entity: 'a\u{fffd}b', q: 'wt_…' },
        status: 403,
      },
      {
        action: 'refused',
        route: 'GET /v1/entries',
        filters: expect.objectContaining({ tenant: 'two' }),
        status: 403,
      },
    ]);
    await own.daemon.stop();
    const counted = await own.trail.query(
      `select token_name, address, refusals::int from trail.access where action = 'unrecorded'`,
    );
    expect(counted).toEqual([{ token_name: null, address: '127.0.0.1', refusals: 110 }]);
  });
});
