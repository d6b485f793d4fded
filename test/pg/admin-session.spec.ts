import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { revokeTokensNamed } from '../../src/admin/auth/tokens.js';
import { apiGround, type ApiGround } from '../support/api.ts';

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
  test('with an API token sets a cookie that scripts and other sites cannot use, and that reads the trail', async () => {
    const response = await signIn(await ground.token({ name: 'Ada' }));
    expect(response.status).toBe(200);
    const attributes = response.headers.get('set-cookie')!;
    expect(attributes).toMatch(
      /^waltrail_session=[\w-]{43}; Path=\/; HttpOnly; SameSite=Strict; Max-Age=\d+$/,
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

  test('behind a proxy that ends TLS the cookie is Secure', async () => {
    const response = await signIn(await ground.token(), { 'x-forwarded-proto': 'https' });
    expect(response.headers.get('set-cookie')).toContain('; Secure');
  });

  test('a sign-in code works once, even when two browsers bring it at the same moment, and is no API token', async () => {
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

  test('revoking the token ends its sessions', async () => {
    const cookie = cookieOf(await signIn(await ground.token({ name: 'leaver' })));
    await revokeTokensNamed(ground.pool, 'leaver');
    expect((await withCookie('/v1/session', cookie)).status).toBe(401);
  });

  test('is recorded, without the token', async () => {
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
    // The page itself gets as far as the check of the body.
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

test('sign-in attempts are limited', async () => {
  await using own = await apiGround();
  let response = new Response();
  for (let i = 0; i < 31; i++) {
    response = await fetch(`${own.daemon.url}/v1/session`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: '{"token":"wt_guess"}',
    });
  }
  expect(response.status).toBe(429);
  expect(Number(response.headers.get('retry-after'))).toBeGreaterThan(0);
  expect(await response.json()).toMatchObject({ code: 'HTTP_TOO_MANY_REQUESTS' });
});
