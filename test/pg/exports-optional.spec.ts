import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect, test } from '@jest/globals';
import { apiGround, type ApiGround } from '../support/api.ts';
import { fakeRedis } from '../support/fake-redis.ts';
import { freePort, redisBinary, startRedis } from '../support/redis.ts';
import { until } from '../support/until.ts';

interface Export {
  readonly id: string;
  readonly state: string;
  readonly error: { readonly code: string; readonly detail: string; readonly remedy: string } | null;
}

async function ask(ground: ApiGround, token: string): Promise<Export> {
  const answer = await ground.get('/v1/exports', token, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ format: 'csv' }),
  });
  expect(answer.status).toBe(202);
  return (await answer.json()) as Export;
}

const json = async (ground: ApiGround, route: string, token: string): Promise<unknown> =>
  (await ground.get(route, token)).json();

(redisBinary === undefined ? test.skip : test)(
  'without Redis everything else works, an export states why it waits, and is made when Redis is back',
  async () => {
    const port = await freePort();
    await using ground = await apiGround({
      roles: ['capture', 'api', 'exports'],
      environment: { REDIS_URL: `redis://:hunter2@127.0.0.1:${port}` },
    });
    const token = await ground.token();
    await ground.add();
    expect((await ground.get('/', token)).status).toBe(200);
    expect((await ground.get('/v1/entries', token)).status).toBe(200);
    await until(
      'the trouble to be known',
      async () =>
        ((await json(ground, '/v1/status', token)) as { exportQueue: { error: unknown } }).exportQueue
          .error !== null,
    );
    expect(await json(ground, '/v1/status', token)).toMatchObject({
      exportQueue: {
        works: false,
        error: { code: 'EXPORT_QUEUE_UNAVAILABLE', message: expect.stringContaining('ECONNREFUSED') },
      },
    });
    expect(await json(ground, '/readyz', token)).toMatchObject({ trail: 'up', exportQueue: 'down' });
    expect(await (await ground.get('/metrics', token)).text()).toContain('waltrail_export_queue_up 0');
    const asked = await ask(ground, token);
    expect(asked).toMatchObject({ state: 'queued', error: { code: 'EXPORT_QUEUE_UNAVAILABLE' } });
    expect(await json(ground, '/v1/exports', token)).toMatchObject({
      items: [{ state: 'queued', error: {} }],
    });

    await using redis = await startRedis({ port, options: ['--requirepass', 'hunter2'] });
    await until(
      `the export to be ready, by ${redis.url}`,
      async () => ((await json(ground, `/v1/exports/${asked.id}`, token)) as Export).state === 'ready',
    );
    expect(await json(ground, '/readyz', token)).toMatchObject({ exportQueue: 'up' });
    expect(await (await ground.get('/metrics', token)).text()).toContain('waltrail_export_queue_up 1');
    expect(ground.logged.join('')).not.toContain('hunter2');
  },
);

test('a daemon with a Redis that never answers stops within seconds', async () => {
  await using silent = await fakeRedis(() => '');
  const ground = await apiGround({ roles: ['api', 'exports'], environment: { REDIS_URL: silent.url } });
  await until('a connection', () => silent.connections() > 0);
  const began = performance.now();
  await ground.daemon.stop();
  expect(performance.now() - began).toBeLessThan(5_000);
  await ground[Symbol.asyncDispose]();
});

test('an export folder that cannot be written fails exports and nothing else', async () => {
  const folder = await mkdtemp(path.join(tmpdir(), 'waltrail-optional-'));
  const file = path.join(folder, 'exports');
  await writeFile(file, 'not a folder');
  try {
    await using ground = await apiGround({
      roles: ['api', 'exports'],
      environment: { WALTRAIL_EXPORT_DIR: file },
    });
    const token = await ground.token();
    await ground.add();
    expect((await ground.get('/v1/entries', token)).status).toBe(200);
    const asked = await ask(ground, token);
    const now = async (): Promise<Export> => (await json(ground, `/v1/exports/${asked.id}`, token)) as Export;
    await until('the export to fail', async () => (await now()).state === 'failed');
    expect(await now()).toMatchObject({ error: { code: 'EXPORT_STORAGE' } });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});
