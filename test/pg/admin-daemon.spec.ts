import { createServer } from 'node:net';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { describe, expect, test } from '@jest/globals';
import pg from 'pg';
import { silentLog } from '../../src/log.js';
import { startDaemon } from '../../src/main.js';
import { readSettings } from '../../src/settings.js';
import { apiGround, testConfig } from '../support/api.ts';
import { freshDatabase, type TestDatabase } from '../support/database.ts';
import { until } from '../support/until.ts';

const connections = async (database: TestDatabase): Promise<number> => {
  const rows = await database.query<{ count: number }>(
    `select count(*)::int as count from pg_stat_activity where datname = $1 and application_name like 'waltrail%'`,
    [database.name],
  );
  return rows[0]!.count;
};

/** Allows connections to a database, or ends all that exist and refuses new ones. */
async function setConnectable(database: TestDatabase, connectable: boolean): Promise<void> {
  const url = new URL(database.url);
  url.pathname = '/postgres';
  const client = new pg.Client({ connectionString: url.href });
  await client.connect();
  try {
    await client.query(`alter database ${database.name} with allow_connections ${connectable}`);
    if (!connectable) {
      await client.query('select pg_terminate_backend(pid) from pg_stat_activity where datname = $1', [
        database.name,
      ]);
    }
  } finally {
    await client.end();
  }
}

describe('the daemon', () => {
  test('refuses a busy port with its remedy and leaves nothing running', async () => {
    await using trail = await freshDatabase('trail');
    const blocker = createServer().listen(0, '127.0.0.1');
    await once(blocker, 'listening');
    const { port } = blocker.address() as AddressInfo;
    const starting = startDaemon({
      settings: readSettings({ WALTRAIL_PORT: String(port) }),
      config: testConfig(trail.url),
      roles: ['api'],
      log: silentLog,
    });
    await expect(starting).rejects.toMatchObject({
      code: 'HTTP_PORT_BUSY',
      message: expect.stringContaining(String(port)),
      remedy: expect.stringContaining('WALTRAIL_PORT'),
    });
    await until('its connections to close', async () => (await connections(trail)) === 0, 5_000);
    blocker.close();
  });

  test('refuses a trail that cannot be reached, without printing its password', async () => {
    const url = 'postgres://waltrail:hunter2@127.0.0.1:1/trail';
    const starting = startDaemon({
      settings: readSettings({ WALTRAIL_PORT: '0' }),
      config: testConfig(url),
      roles: ['api'],
      log: silentLog,
    });
    await expect(starting).rejects.toMatchObject({
      code: 'PG_UNREACHABLE',
      message: expect.not.stringContaining('hunter2'),
    });
  });

  test('without the role api it serves health and metrics, and no data of the trail', async () => {
    await using ground = await apiGround({ roles: ['exports'] });
    const token = await ground.token();
    expect((await fetch(`${ground.daemon.url}/healthz`)).status).toBe(200);
    expect((await fetch(`${ground.daemon.url}/readyz`)).status).toBe(200);
    expect((await ground.get('/metrics', token)).status).toBe(200);
    for (const route of ['/', '/docs', '/v1/entries', '/v1/status', '/v1/session', '/v1/openapi.json']) {
      expect((await ground.get(route, token)).status).toBe(404);
    }
  });

  test('with a source that cannot be reached it serves the trail, and is not ready', async () => {
    await using ground = await apiGround({ roles: ['capture', 'api'] });
    const token = await ground.token();
    await until('capture to give up', async () => {
      const body = (await (await fetch(`${ground.daemon.url}/readyz`)).json()) as { capture: string };
      return body.capture === 'stopped' || body.capture === 'reconnecting';
    });
    expect((await fetch(`${ground.daemon.url}/readyz`)).status).toBe(503);
    const status = (await (await ground.get('/v1/status', token)).json()) as {
      capture: { error: { remedy: string } };
    };
    expect(status.capture.error.remedy).not.toBe('');
    expect(await (await ground.get('/metrics', token)).text()).toMatch(
      /waltrail_capture_state\{state="(stopped|reconnecting)"\} 1/,
    );
  });

  test('answers 503 while the trail is unreachable, and 200 with working connections when it is back', async () => {
    await using ground = await apiGround();
    const token = await ground.token();
    await ground.add();
    expect((await ground.get('/v1/entries', token)).status).toBe(200);
    await setConnectable(ground.trail, false);
    await until('readiness to fail', async () => (await fetch(`${ground.daemon.url}/readyz`)).status === 503);
    const response = await ground.get('/v1/entries', token);
    expect(response.status).toBe(503);
    expect(await response.json()).toMatchObject({ code: 'HTTP_UNAVAILABLE' });
    expect(response.headers.get('retry-after')).toBe('5');
    expect((await fetch(`${ground.daemon.url}/healthz`)).status).toBe(200);
    await setConnectable(ground.trail, true);
    await until(
      'readiness to come back',
      async () => (await fetch(`${ground.daemon.url}/readyz`)).status === 200,
    );
    expect((await ground.get('/v1/entries', token)).status).toBe(200);
  });

  test('stops once although it is told twice, and leaves no connection', async () => {
    const ground = await apiGround({ roles: ['api', 'exports'] });
    await Promise.all([ground.daemon.stop(), ground.daemon.stop()]);
    await until('its connections to close', async () => (await connections(ground.trail)) === 0, 5_000);
    await expect(fetch(`${ground.daemon.url}/healthz`)).rejects.toThrow();
    await ground[Symbol.asyncDispose]();
  });
});
