import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { apiGround, type ApiGround } from '../support/api.ts';

let ground: ApiGround;
let admin: string;

beforeAll(async () => {
  // The time zone of its reports is Europe/Berlin.
  ground = await apiGround({ roles: ['api'] });
  admin = await ground.token();
  // The first and the last moment of the week in which the clock was put back, and the moments just outside.
  for (const committedAt of [
    '2026-10-18T21:59:59.999999Z',
    '2026-10-18T22:00:00Z',
    '2026-10-25T22:59:59.999999Z',
    '2026-10-25T23:00:00Z',
  ])
    await ground.add({ committedAt });
  await ground.pool.query(
    `update trail.relation set columns = jsonb_set(columns, '{3}', '{"name": "closed_at", "type": 1184}')`,
  );
});
afterAll(async () => ground[Symbol.asyncDispose]());

const get = async (route: string): Promise<{ status: number; body: Record<string, unknown> }> => {
  const response = await ground.get(`/v1/${route}`, admin);
  return { status: response.status, body: (await response.json()) as Record<string, unknown> };
};
const timesIn = async (query: string): Promise<unknown> => {
  const { body } = await get(`entries?${query}`);
  return (body['items'] as readonly { committedAt: string }[] | undefined)?.map(
    ({ committedAt }) => committedAt,
  );
};

test('a week is a calendar week, from midnight to midnight of the zone, everywhere', async () => {
  const week = ['2026-10-25T22:59:59.999999Z', '2026-10-18T22:00:00.000000Z'];
  expect(await timesIn('from=2026-10-19&to=2026-10-26')).toEqual(week);
  expect(await timesIn('from=2026-10-19&to=2026-10-26&timezone=Europe/Berlin')).toEqual(week);
  expect(await timesIn('to=2026-10-26')).toEqual(week);
  expect(await timesIn('from=2026-10-19&to=2026-10-26&timezone=UTC')).toEqual([
    '2026-10-25T23:00:00.000000Z',
    '2026-10-25T22:59:59.999999Z',
  ]);
  for (const route of ['facets', 'facets/actions', 'gaps'])
    expect((await get(`${route}?from=2026-10-19&to=2026-10-26`)).status).toBe(200);
  const body = JSON.stringify({ from: '2026-10-19', to: '2026-10-26', timezone: 'Europe/Berlin' });
  const headers = { 'content-type': 'application/json' };
  const asked = await ground.get('/v1/exports', admin, { method: 'POST', body, headers });
  expect([asked.status, ((await asked.json()) as { range: unknown }).range]).toEqual([
    202,
    { from: '2026-10-18T22:00:00.000000Z', to: '2026-10-25T23:00:00.000000Z' },
  ]);
});

test('an unknown zone is refused, and so is a calendar week that is too long in another zone', async () => {
  for (const route of ['entries', 'facets', 'facets/actions', 'gaps'])
    expect(await get(`${route}?timezone=Mars/Olympus`)).toMatchObject({
      status: 400,
      body: { code: 'HTTP_QUERY_INVALID', errors: [{ path: 'timezone' }] },
    });
  const instants = 'from=2026-10-18T22:00:00Z&to=2026-10-25T23:00:00Z';
  expect((await get(`entries?${instants}`)).status).toBe(200);
  expect(await get(`entries?${instants}&timezone=UTC`)).toMatchObject({
    status: 422,
    body: { code: 'RANGE_TOO_LONG' },
  });
});

test('an entry names the columns whose values are instants', async () => {
  const id = await ground.add({ updated: ['1', 'x', 't', '2026-10-25 00:30:00+00'] });
  const { body } = await get(`entries/${id}`);
  expect(body).toMatchObject({
    instants: ['closed_at'],
    updated: { closed_at: '2026-10-25 00:30:00+00' },
  });
});
