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

  test('resumes after the last event a client has seen and misses nothing', async () => {
    const first = await listen();
    const seen = await ground.add();
    expect((await first.next()).id).toBe(seen);
    await first[Symbol.asyncDispose]();
    const missed = [await ground.add(), await ground.add(), await ground.add()];
    await using second = await listen({ after: seen });
    for (const id of missed) expect((await second.next()).id).toBe(id);
  });

  test('tells its position at once, so that a client that saw nothing yet can resume, too', async () => {
    const last = await ground.add();
    const first = await listen({ query: '?action=nothing-like-it' });
    await expect(first.next(300)).rejects.toThrow('did not come');
    expect(first.lastId).toBe(last);
    await first[Symbol.asyncDispose]();
  });

  test('filters for each listener by itself', async () => {
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

  test('a Last-Event-ID that is no id is a 400', async () => {
    const token = await ground.token();
    for (const id of ['x', '-1', '9'.repeat(30)]) {
      const response = await ground.get('/v1/entries/stream', token, { headers: { 'last-event-id': id } });
      expect(response.status).toBe(400);
    }
  });

  test('is recorded when it is opened, with where it resumes, and with what it has delivered when it ends', async () => {
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

  test('resumes no further back than a report reaches, and says so', async () => {
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
        detail: 'Last-Event-ID is 8 days behind; a stream resumes at most 7 days back.',
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

  test('says how far it is behind, also to who is ahead of the trail', async () => {
    const last = await ground.add();
    await using events = await listen({ after: String(BigInt(last) + 1_000n) });
    await until('its position', () => events.positions.length > 0);
    expect(events.lastId).toBe(last);
    expect(JSON.parse(events.positions[0]!)).toEqual({ behindSeconds: 0 });
    const next = await ground.add();
    expect((await events.next()).id).toBe(next);
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

  test('a client that does not read is not buffered for, does not hold up the others, and gets everything in the end', async () => {
    const token = await ground.token();
    // More than all socket buffers take.
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

/** A client whose socket is open and not read until `readUntil` counts events of data. */
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

test('stopping the daemon ends its streams and takes no longer than it must', async () => {
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
