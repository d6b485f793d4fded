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

/** Keeps every read of entries waiting until the returned function is called. */
async function holdEntries(): Promise<() => Promise<void>> {
  const client = new pg.Client({ connectionString: ground.trail.url });
  await client.connect();
  await client.query('begin');
  await client.query('lock table trail.entry in access exclusive mode');
  return () => client.end();
}

/** Requests at once, with the statuses of those that were answered so far. */
function sendAtOnce(
  count: number,
  path: string,
  token: string,
): { statuses: number[]; all: Promise<Response[]> } {
  const statuses: number[] = [];
  const all = Promise.all(
    Array.from({ length: count }, async () => {
      const response = await ground.get(path, token);
      statuses.push(response.status);
      return response;
    }),
  );
  return { statuses, all };
}

describe('one token', () => {
  test('with 24 searches keeps neither others nor itself from plain pages, and is told to wait', async () => {
    const viewer = await ground.token({ name: 'searcher', role: 'viewer' });
    const admin = await ground.token();
    const release = await holdEntries();
    try {
      const { statuses, all } = sendAtOnce(24, '/v1/entries?q=omer', viewer);
      await until('those that are too many', () => statuses.length === 16, 5_000);
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

  test('with 80 plain reads that wait leaves connections to others', async () => {
    const viewer = await ground.token({ name: 'reader', role: 'viewer' });
    const other = await ground.token({ name: 'other', role: 'viewer' });
    const release = await holdEntries();
    try {
      const { statuses, all } = sendAtOnce(80, '/v1/entries', viewer);
      await until('those that are too many', () => statuses.length === 26, 5_000);
      expect((await ground.get('/v1/gaps', other)).status).toBe(200);
      await release();
      expect((await all).filter(({ status }) => status === 200)).toHaveLength(54);
    } finally {
      await release();
    }
  });

  test('has 20 live streams, also when it opens them together, and the others have theirs', async () => {
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
