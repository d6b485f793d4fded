import { once } from 'node:events';
import http from 'node:http';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { revokeTokensNamed } from '../../src/admin/auth/tokens.js';
import { apiGround, type ApiGround } from '../support/api.ts';
import { readEvents, type EventReader } from '../support/sse.ts';
import { until } from '../support/until.ts';

let ground: ApiGround;
beforeAll(async () => {
  ground = await apiGround();
  await ground.add();
});
afterAll(async () => ground[Symbol.asyncDispose]());

const listen = async (
  options: { query?: string; token?: string; after?: string } = {},
): Promise<EventReader> =>
  readEvents(`${ground.daemon.url}/v1/entries/stream${options.query ?? ''}`, {
    authorization: `Bearer ${options.token ?? (await ground.token())}`,
    ...(options.after === undefined ? {} : { 'last-event-id': options.after }),
  });

const listenToViews = async (
  views: readonly object[],
  token: string | undefined = undefined,
): Promise<EventReader> =>
  readEvents(
    `${ground.daemon.url}/v1/entries/stream`,
    { authorization: `Bearer ${token ?? (await ground.token())}` },
    { views },
  );

describe('a stream of several views', () => {
  test('delivers each entry of each view that finds it, under the number of the view', async () => {
    await using events = await listenToViews([{ action: ['block'] }, {}, { q: 'nothing like it' }]);
    expect(events.response.headers.get('content-type')).toBe('text/event-stream; charset=utf-8');
    const block = await ground.add({ action: 'block' });
    const found = [await events.next(), await events.next()];
    expect(found.map(({ id }) => id)).toEqual([block, block]);
    expect(found.map(({ event }) => event).sort()).toEqual(['entry.0', 'entry.1']);
    const shown = await (await ground.get(`/v1/entries/${block}`, await ground.token())).text();
    expect(found.map(({ data }) => data)).toEqual([shown, shown]);
    const edit = await ground.add({ action: 'edit' });
    expect(await events.next()).toMatchObject({ id: edit, event: 'entry.1' });
    expect(events.positions.slice(0, 3).map((data) => JSON.parse(data) as unknown)).toEqual([
      { behindSeconds: 0 },
      { behindSeconds: 0 },
      { behindSeconds: 0 },
    ]);
  });

  test('resumes each view at its own place', async () => {
    const [first, second, third] = [await ground.add(), await ground.add(), await ground.add()];
    await using events = await listenToViews([{ after: first }, { after: second }]);
    const found = [await events.next(), await events.next(), await events.next()];
    const of = (view: string) => found.filter(({ event }) => event === view).map(({ id }) => id);
    expect([of('entry.0'), of('entry.1')]).toEqual([[second, third], [third]]);
  });

  test('shows a tenant-scoped token its tenant only, and refuses a view of another by its number', async () => {
    const token = await ground.token({ tenant: 'one' });
    await using events = await listenToViews([{}, { tenant: 'one' }], token);
    await ground.add({ tenant: 'two' });
    const own = await ground.add({ tenant: 'one' });
    const found = [await events.next(), await events.next()];
    expect(found.map(({ id }) => id)).toEqual([own, own]);
    await using refused = await listenToViews([{}, { tenant: 'two' }], token);
    expect(refused.response.status).toBe(403);
  });

  test('is refused when one of its views is, and the answer names that view', async () => {
    const token = await ground.token();
    const post = async (body: unknown): Promise<{ status: number; problem: Record<string, unknown> }> => {
      const response = await ground.get('/v1/entries/stream', token, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(body),
      });
      return { status: response.status, problem: (await response.json()) as Record<string, unknown> };
    };
    for (const [views, path] of [
      [[], 'views'],
      [Array.from({ length: 11 }, () => ({})), 'views'],
      [[{}, { after: 'x' }], 'views.1.after'],
      [[{}, { after: '0x10' }], 'views.1.after'],
      [[{ action: 'block' }], 'views.0.action'],
      [[{ limit: 5 }], 'views.0'],
    ] as const)
      expect(await post({ views })).toMatchObject({
        status: 400,
        problem: { code: 'HTTP_BODY_INVALID', errors: [{ path }] },
      });
    await using own = await apiGround();
    const old = await own.add({ committedAt: new Date(Date.now() - 8 * 86_400_000).toISOString() });
    const response = await own.get('/v1/entries/stream', await own.token(), {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ views: [{}, { after: String(BigInt(old) - 1n) }] }),
    });
    expect(response.status).toBe(422);
    expect(await response.json()).toMatchObject({ code: 'RANGE_TOO_LONG', errors: [{ path: 'views.1' }] });
  });

  test('takes one place of its token for each view, and frees them at its end', async () => {
    const token = await ground.token({ name: 'tabs' });
    const ten = Array.from({ length: 10 }, () => ({}));
    const both = [await listenToViews(ten, token), await listenToViews(ten, token)];
    expect(both.map(({ response }) => response.status)).toEqual([200, 200]);
    await using third = await listenToViews([{}], token);
    expect(third.response.status).toBe(429);
    for (const events of both) await events[Symbol.asyncDispose]();
    await until('the places to be free', async () => {
      await using again = await listenToViews(ten, token);
      return again.response.status === 200;
    });
  });

  test('is recorded once with all its views, and with the entries delivered for each', async () => {
    const token = await ground.token({ name: 'several' });
    const rows = (): Promise<Record<string, unknown>[]> =>
      ground.trail.query(
        `select action, route, filters, delivered from trail.access where token_name = 'several' order by at`,
      );
    const before = await ground.add();
    const blocked = { action: ['block'], after: before };
    let block = '';
    {
      await using events = await listenToViews([blocked, { q: 'nothing like it' }], token);
      block = await ground.add({ action: 'block' });
      expect((await events.next()).id).toBe(block);
    }
    await until('the second row', async () => (await rows()).length === 2);
    const route = 'POST /v1/entries/stream';
    expect(await rows()).toEqual([
      { action: 'watch', route, filters: { views: [blocked, { q: 'nothing like it' }] }, delivered: null },
      {
        action: 'watch',
        route,
        filters: blocked,
        delivered: { entries: 1, after: before, through: block },
      },
    ]);
  });
});

describe('the live stream', () => {
  test('delivers a new entry within a second, as the API shows it', async () => {
    await using events = await listen();
    expect(events.response.headers.get('content-type')).toBe('text/event-stream; charset=utf-8');
    expect(events.response.headers.get('content-security-policy')).toContain("default-src 'self'");
    const began = Date.now();
    const id = await ground.add({ action: 'block' });
    const event = await events.next(2_000);
    expect(Date.now() - began).toBeLessThan(1_000);
    expect(event.id).toBe(id);
    const shown = await (await ground.get(`/v1/entries/${id}`, await ground.token())).text();
    expect(event.data).toBe(shown);
  });

  test('resumes after the last event that a client has seen, and misses nothing', async () => {
    const first = await listen();
    const seen = await ground.add();
    expect((await first.next()).id).toBe(seen);
    await first[Symbol.asyncDispose]();
    const missed = [await ground.add(), await ground.add(), await ground.add()];
    await using second = await listen({ after: seen });
    for (const id of missed) expect((await second.next()).id).toBe(id);
  });

  test('sends its position at once, so that a client that has seen no event can resume, too', async () => {
    const last = await ground.add();
    const first = await listen({ query: '?action=nothing-like-it' });
    await expect(first.next(300)).rejects.toThrow('did not come');
    expect(first.lastId).toBe(last);
    await first[Symbol.asyncDispose]();
  });

  test('filters for each listener separately', async () => {
    await using blocks = await listen({ query: '?action=block' });
    await using customers = await listen({ query: '?entityType=customer&entityType=campaign' });
    await ground.add({ action: 'edit' });
    const block = await ground.add({ action: 'block' });
    const customer = await ground.add({ action: 'edit', entityType: 'customer' });
    expect((await blocks.next()).id).toBe(block);
    expect((await customers.next()).id).toBe(customer);
  });

  test('shows a tenant-scoped token its tenant only', async () => {
    await using events = await listen({ token: await ground.token({ tenant: 'one' }) });
    await ground.add({ tenant: 'two' });
    await ground.add();
    const own = await ground.add({ tenant: 'one' });
    expect((await events.next()).id).toBe(own);
  });

  test('a Last-Event-ID that is not an id is a 400', async () => {
    const token = await ground.token();
    for (const id of ['x', '-1', '9'.repeat(30)]) {
      const response = await ground.get('/v1/entries/stream', token, { headers: { 'last-event-id': id } });
      expect(response.status).toBe(400);
    }
  });

  test('is recorded when it opens, with where it resumes, and with the entries delivered when it ends', async () => {
    const before = await ground.add();
    const missed = await ground.add();
    const token = await ground.token({ name: 'watcher' });
    const rows = (): Promise<Record<string, unknown>[]> =>
      ground.trail.query(
        `select action, route, filters, delivered from trail.access where token_name = 'watcher' order by at`,
      );
    const opened = {
      action: 'watch',
      route: 'GET /v1/entries/stream',
      filters: { action: 'add', lastEventId: before },
    };
    {
      await using events = await listen({ token, query: '?action=add', after: before });
      expect((await events.next()).id).toBe(missed);
      expect(await rows()).toEqual([{ ...opened, delivered: null }]);
    }
    await until('the second row', async () => (await rows()).length === 2);
    expect((await rows())[1]).toEqual({
      ...opened,
      delivered: { entries: 1, after: before, through: missed },
    });
  });

  test('resumes no further back than a report reaches, and refuses with the reason', async () => {
    await using own = await apiGround();
    const old = await own.add({ committedAt: new Date(Date.now() - 8 * 86_400_000).toISOString() });
    const token = await own.token({ name: 'looper', role: 'viewer' });
    for (const id of ['0', '1', String(BigInt(old) - 1n)]) {
      const response = await own.get('/v1/entries/stream?q=x', token, {
        headers: { 'last-event-id': id },
      });
      expect(response.status).toBe(422);
      expect(await response.json()).toMatchObject({
        code: 'RANGE_TOO_LONG',
        // "More than" once a second has passed since the entry was stored.
        detail: expect.stringMatching(
          /^Last-Event-ID is (?:more than )?8 days old\. A stream can resume at most 7 days back\.$/,
        ),
        remedy: expect.stringContaining('without Last-Event-ID'),
      });
    }
    const next = await own.add();
    await using events = await readEvents(`${own.daemon.url}/v1/entries/stream`, {
      authorization: `Bearer ${token}`,
      'last-event-id': old,
    });
    expect((await events.next()).id).toBe(next);
  });

  test('reports how far it is behind, also to a client that is ahead of the trail', async () => {
    const last = await ground.add();
    await using events = await listen({ after: String(BigInt(last) + 1_000n) });
    await until('its position', () => events.positions.length > 0);
    expect(events.lastId).toBe(last);
    expect(JSON.parse(events.positions[0]!)).toEqual({ behindSeconds: 0 });
    const next = await ground.add();
    expect((await events.next()).id).toBe(next);
  });

  test('reports at once that it is no longer behind, if no later entry matches', async () => {
    const after = await ground.add();
    await ground.add({ committedAt: new Date(Date.now() - 3_600_000).toISOString() });
    await using events = await listen({ query: '?action=never', after });
    await until('that it is current', () => events.positions.length > 1, 4_000);
    expect(
      events.positions.map((data) => (JSON.parse(data) as { behindSeconds: number }).behindSeconds),
    ).toEqual([expect.closeTo(3_600, -2), 0]);
  });

  test('answers HEAD and keeps nothing open', async () => {
    const response = await ground.get('/v1/entries/stream', await ground.token(), { method: 'HEAD' });
    expect(response.status).toBe(200);
    expect(response.headers.get('content-type')).toBe('text/event-stream; charset=utf-8');
    expect(await response.text()).toBe('');
  });

  test('ends soon after its token was revoked', async () => {
    await using events = await listen({ token: await ground.token({ name: 'leaver' }) });
    await revokeTokensNamed(ground.pool, 'leaver');
    await events.ended(15_000);
  });

  test('buffers nothing for a client that does not read, delays no other client, and delivers everything in the end', async () => {
    const token = await ground.token();
    // More than all socket buffers hold.
    const big = 'x'.repeat(1_000_000);
    const stuck = await pausedClient(`${ground.daemon.url}/v1/entries/stream?action=big`, token);
    await using events = await listen({ token, query: '?action=last' });
    const before = process.memoryUsage().rss;
    for (let i = 0; i < 60; i++) await ground.add({ action: 'big', updated: ['1', big, 'f', '0'] });
    const last = await ground.add({ action: 'last' });
    expect((await events.next(10_000)).id).toBe(last);
    expect(process.memoryUsage().rss - before).toBeLessThan(400 * 1024 * 1024);
    expect(await stuck.readUntil(60)).toBe(60);
    stuck.close();
  });
});

/** A client with an open socket that it does not read until `readUntil` counts events of data. */
async function pausedClient(
  url: string,
  token: string,
): Promise<{ readUntil(count: number): Promise<number>; close(): void }> {
  const request = http.get(url, { headers: { authorization: `Bearer ${token}` } });
  const [response] = (await once(request, 'response')) as [http.IncomingMessage];
  response.pause();
  return {
    readUntil: async (count) => {
      let seen = 0;
      let rest = '';
      response.setEncoding('latin1');
      response.on('data', (chunk: string) => {
        const text = rest + chunk;
        seen += text.split('data: {"id"').length - 1;
        // The mark may be cut in two by the end of a chunk.
        rest = text.slice(-10);
      });
      response.resume();
      await until(`${count} events`, () => seen >= count);
      return seen;
    },
    close: () => request.destroy(),
  };
}

test('ends when the daemon stops, without delaying it', async () => {
  const own = await apiGround();
  const token = await own.token();
  await own.add();
  const events = await readEvents(`${own.daemon.url}/v1/entries/stream`, {
    authorization: `Bearer ${token}`,
  });
  expect(events.response.status).toBe(200);
  const began = Date.now();
  await own.daemon.stop();
  await events.ended();
  expect(Date.now() - began).toBeLessThan(5_000);
  await events[Symbol.asyncDispose]();
  await own[Symbol.asyncDispose]();
});
