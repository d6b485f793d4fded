import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import pg from 'pg';
import { apiGround, type ApiGround } from '../support/api.ts';
import { readEvents, type EventReader } from '../support/sse.ts';
import { until } from '../support/until.ts';

let ground: ApiGround;
beforeAll(async () => {
  ground = await apiGround();
  await ground.add();
});
afterAll(async () => ground[Symbol.asyncDispose]());

/** Makes every statement that needs a table wait until the returned function is called. */
async function hold(table: string, mode = 'access exclusive'): Promise<() => Promise<void>> {
  const client = new pg.Client({ connectionString: ground.trail.url });
  await client.connect();
  await client.query('begin');
  await client.query(`lock table ${table} in ${mode} mode`);
  return () => client.end();
}

const holdEntries = (): Promise<() => Promise<void>> => hold('trail.entry');

/** Counts statements that wait for a lock. */
async function held({ trail }: Pick<ApiGround, 'trail'> = ground): Promise<number> {
  const [row] = await trail.query<{ n: number }>(
    `select count(*)::int4 as n from pg_stat_activity
      where datname = current_database() and wait_event_type = 'Lock'`,
  );
  return row!.n;
}

/** Sends requests at once. `statuses` holds those answered so far. */
function sendAtOnce(
  count: number,
  path: string,
  token: string,
  init: RequestInit = {},
): { statuses: number[]; all: Promise<Response[]> } {
  const statuses: number[] = [];
  const all = Promise.all(
    Array.from({ length: count }, async () => {
      const response = await ground.get(path, token, init);
      statuses.push(response.status);
      return response;
    }),
  );
  return { statuses, all };
}

describe('one token', () => {
  test("does not delay anyone's plain pages with 24 searches, and is told to wait", async () => {
    const viewer = await ground.token({ name: 'searcher', role: 'viewer' });
    const admin = await ground.token();
    const release = await holdEntries();
    try {
      const { statuses, all } = sendAtOnce(24, '/v1/entries?q=omer', viewer);
      await until('the refused requests', () => statuses.length === 16, 5_000);
      expect(new Set(statuses)).toEqual(new Set([429]));
      for (const token of [admin, viewer]) expect((await ground.get('/v1/gaps', token)).status).toBe(200);
      await release();
      const answers = await all;
      expect(answers.filter(({ status }) => status === 200)).toHaveLength(8);
      const refused = answers.find(({ status }) => status === 429)!;
      expect(refused.headers.get('retry-after')).toBe('1');
      expect(await refused.json()).toMatchObject({ code: 'HTTP_TOKEN_BUSY', retryAfterSeconds: 1 });
    } finally {
      await release();
    }
  });

  test('leaves connections to others while its 80 plain reads wait', async () => {
    const viewer = await ground.token({ name: 'reader', role: 'viewer' });
    const other = await ground.token({ name: 'other', role: 'viewer' });
    const release = await holdEntries();
    try {
      const { statuses, all } = sendAtOnce(80, '/v1/entries', viewer);
      await until('the refused requests', () => statuses.length === 26, 5_000);
      expect((await ground.get('/v1/gaps', other)).status).toBe(200);
      await release();
      expect((await all).filter(({ status }) => status === 200)).toHaveLength(54);
    } finally {
      await release();
    }
  });

  test('leaves connections to others while it asks for 60 exports', async () => {
    const exporter = await ground.token({ name: 'exporter', role: 'exporter' });
    const admin = await ground.token();
    const release = await hold('trail.export', 'share row exclusive');
    try {
      const { statuses, all } = sendAtOnce(60, '/v1/exports', exporter, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: '{"format":"csv"}',
      });
      await until('the refused requests', () => statuses.length === 9, 5_000);
      expect((await ground.get('/v1/exports', admin)).status).toBe(200);
      await release();
      const answers = (await all).map(({ status }) => status);
      expect(answers.filter((status) => status === 202)).toHaveLength(10);
      expect(answers.filter((status) => status === 429)).toHaveLength(50);
    } finally {
      await release();
      await ground.trail.query('delete from trail.export');
    }
  });

  test('leaves connections to others while it resumes many streams from the past', async () => {
    const viewer = await ground.token({ name: 'resumer', role: 'viewer' });
    const other = await ground.token({ name: 'another', role: 'viewer' });
    const id = await ground.add();
    const release = await holdEntries();
    const end = new AbortController();
    try {
      const { statuses, all } = sendAtOnce(80, '/v1/entries/stream', viewer, {
        headers: { 'last-event-id': String(BigInt(id) - 1n) },
        signal: end.signal,
      });
      await until('the refused requests', () => statuses.length === 26, 5_000);
      expect((await ground.get('/v1/gaps', other)).status).toBe(200);
      await release();
      const answers = (await all).map(({ status }) => status);
      expect(answers.filter((status) => status === 200)).toHaveLength(20);
      expect(answers.filter((status) => status === 429)).toHaveLength(60);
    } finally {
      end.abort();
      await release();
    }
  });

  test('has at most 20 live streams, also when it opens them together, and others have theirs', async () => {
    const open = async (token: string): Promise<EventReader> =>
      readEvents(`${ground.daemon.url}/v1/entries/stream`, { authorization: `Bearer ${token}` });
    const viewer = await ground.token({ name: 'watcher', role: 'viewer' });
    const streams = await Promise.all(Array.from({ length: 25 }, () => open(viewer)));
    try {
      const statuses = streams.map(({ response }) => response.status);
      expect(statuses.filter((status) => status === 200)).toHaveLength(20);
      expect(statuses.filter((status) => status === 429)).toHaveLength(5);
      await using other = await open(await ground.token({ role: 'viewer' }));
      const id = await ground.add();
      expect((await other.next(2_000)).id).toBe(id);
    } finally {
      for (const stream of streams) await stream[Symbol.asyncDispose]();
    }
    await until('its places to be free', async () => {
      await using again = await open(viewer);
      return again.response.status === 200;
    });
  });
});

describe('a client that repeats a request', () => {
  test('keeps one connection busy when it asks for the status, and one when it asks for readiness', async () => {
    const viewer = await ground.token({ name: 'poller', role: 'viewer' });
    // The token is known from here on when nothing answers.
    await ground.get('/v1/session', viewer);
    const release = await hold('trail.checkpoint');
    try {
      const statuses = sendAtOnce(30, '/v1/status', viewer);
      await until('the status to be read', async () => (await held()) > 0);
      const ready = sendAtOnce(30, '/readyz', viewer);
      await until('the process to be asked', async () => (await held()) > 1);
      expect((await ground.get('/v1/session', viewer)).status).toBe(200);
      expect(await held()).toBe(2);
      await release();
      expect(new Set((await statuses.all).map(({ status }) => status))).toEqual(new Set([200]));
      expect(new Set((await ready.all).map(({ status }) => status))).toEqual(new Set([200]));
    } finally {
      await release();
    }
  });

  test('delays neither known tokens nor the access record when it guesses unknown secrets', async () => {
    const admin = await ground.token();
    expect((await ground.get('/v1/session', admin)).status).toBe(200);
    const guess = (count: number, init: () => RequestInit): Promise<number>[] =>
      Array.from({ length: count }, async () => {
        const response = await fetch(new URL('/v1/session', ground.daemon.url), init());
        await response.arrayBuffer();
        return response.status;
      });
    const random = (): string => `wt_${crypto.randomUUID().repeat(2).replaceAll('-', '').slice(0, 43)}`;
    const bearer = (): RequestInit => ({ headers: { authorization: `Bearer ${random()}` } });
    // More guesses than are looked up for an address, one by one.
    await Promise.all(guess(31, bearer));
    // Until the token has to be looked up again.
    await new Promise((resolve) => setTimeout(resolve, 2_100));
    const release = await hold('trail.token');
    try {
      const wrong = guess(150, bearer);
      await until('a guess to be looked up', async () => (await held()) > 0);
      const known = Array.from({ length: 8 }, () => ground.get('/v1/session', admin));
      await until('the token to be looked up', async () => (await held()) > 1);
      // One guess and the token: the other three of the five connections are free.
      expect(await held()).toBe(2);
      await release();
      expect(new Set((await Promise.all(known)).map(({ status }) => status))).toEqual(new Set([200]));
      expect(new Set(await Promise.all(wrong))).toEqual(new Set([429]));
    } finally {
      await release();
    }
  });

  test('takes two connections when it guesses cookies or tokens from many addresses', async () => {
    await using proxied = await apiGround({ environment: { WALTRAIL_TRUSTED_PROXIES: '127.0.0.1' } });
    const signedIn = await fetch(new URL('/v1/session', proxied.daemon.url), {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'x-forwarded-proto': 'https' },
      body: JSON.stringify({ token: await proxied.token() }),
    });
    const cookieName = signedIn.headers.get('set-cookie')!.split('=')[0]!;
    const client = new pg.Client({ connectionString: proxied.trail.url });
    await client.connect();
    await client.query('begin; lock table trail.token, trail.session in access exclusive mode');
    const all = Array.from({ length: 40 }, async (_, n) => {
      const secret: Record<string, string> =
        n % 2 === 0 ? { authorization: `Bearer wt_guess-${n}` } : { cookie: `${cookieName}=guess-${n}` };
      const headers = {
        ...secret,
        'x-forwarded-for': `203.0.113.${n}`,
        'x-forwarded-proto': 'https',
      };
      return (await fetch(new URL('/v1/session', proxied.daemon.url), { headers })).status;
    });
    try {
      await until('guesses to be looked up', async () => (await held(proxied)) > 1);
      await new Promise((resolve) => setTimeout(resolve, 200));
      expect(await held(proxied)).toBe(2);
    } finally {
      await client.end();
    }
    expect(new Set(await Promise.all(all))).toEqual(new Set([401]));
  });
});
