import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { Answer } from '../../src/api/answers.js';
import { startCapture } from '../../src/capture/capture.js';
import { silentLog } from '../../src/log.js';
import { coverLines, Coverage } from '../../src/exports/cover.js';
import { ZoneClock } from '../../src/exports/dates.js';
import { apiGround, type ApiGround } from '../support/api.ts';
import { applyTracking, streaming, testConfig } from '../support/capture.ts';
import { freshDatabase } from '../support/database.ts';
import { until } from '../support/until.ts';

let ground: ApiGround;
let admin: string;

beforeAll(async () => {
  ground = await apiGround();
  admin = await ground.token();
});
afterAll(async () => ground[Symbol.asyncDispose]());

const ask = async <T>(route: string, token = admin): Promise<T> => {
  const response = await ground.get(`/v1/${route}`, token);
  expect(response.status).toBe(200);
  return (await response.json()) as T;
};

describe('every answer states what it covers', () => {
  test('nothing, before the trail begins', async () => {
    const { coverage } = await ask<Answer<'EntryPage'>>('entries');
    expect(coverage).toMatchObject({ since: null, droppedBefore: null, until: null, capture: 'unknown' });
  });

  test('since when, what the retention dropped, until when, and whether capture is running', async () => {
    await ground.add();
    await ground.pool.query(`update trail.checkpoint set began_at = '2026-02-01T10:00:00Z'`);
    await ground.pool.query(`insert into trail.day (day, entries, dropped_at) values (40, 7, now())`);
    await ground.pool.query(`select trail.note_current('2026-03-01T10:00:00.5Z')`);
    const covered = {
      since: '2026-02-01T10:00:00.000000Z',
      droppedBefore: '2026-02-11T00:00:00.000000Z',
      until: '2026-03-01T10:00:00.500000Z',
      capture: 'streaming',
    };
    const scoped = await ground.token({ name: 'one', tenant: 'one' });
    for (const token of [admin, scoped])
      for (const route of ['entries', 'entities/agent/12/history', 'gaps', 'status'])
        expect((await ask<{ coverage: unknown }>(route, token)).coverage).toMatchObject(covered);
    await ground.pool.query(`update trail.current_until set noted_at = now() - interval '1 minute'`);
    expect((await ask<Answer<'GapList'>>('gaps')).coverage.capture).toBe('unknown');
  });
});

test('a trail without changes stays current, here and for a process that does not capture', async () => {
  await using source = await freshDatabase('empty');
  await using trail = await freshDatabase('trail');
  await source.query('create table items (id int primary key)');
  const config = testConfig({ source, trail, yaml: 'tables: { public.items: { entity: item } }' });
  await applyTracking(config);
  const before = new Date().toISOString();
  const capture = startCapture({ config, log: silentLog, pace: { lookMs: 100 } });
  try {
    await streaming(capture);
    const currentAfter = async (time: string): Promise<void> =>
      until('the trail to be current', () => Promise.resolve((capture.status().currentUntil ?? '') > time));
    await currentAfter(before);
    await currentAfter(new Date().toISOString());
    const [noted] = await trail.query<{ is_current: boolean }>(
      `select until > began_at - interval '1 minute' and until <= clock_timestamp() as is_current
         from trail.current_until cross join trail.checkpoint`,
    );
    expect(noted).toEqual({ is_current: true });
  } finally {
    await capture.stop();
  }
});

test('the cover of a workbook states what it covers and, in red, what it does not cover', () => {
  const lines = coverLines({
    order: {
      id: 'x',
      claim: 'y',
      attempts: 1,
      format: 'xlsx',
      filters: { modifier: ['3'], actingAs: ['contacts:7'] },
      range: { from: '2026-01-30T00:00:00.000000Z', to: '2026-02-06T00:00:00.000000Z' },
      timezone: 'UTC',
      tenant: null,
      requestedBy: 'Dana',
      createdAt: '2026-02-06T00:00:00.000000Z',
      currentUntil: '2026-02-05T00:00:00.000000Z',
      belowId: '0',
      trailLsn: '0/1',
      total: null,
      kept: null,
    },
    clock: new ZoneClock('UTC'),
    coverage: new Coverage(),
    gaps: {
      gaps: [],
      total: 0,
      coverage: {
        since: '2026-02-01T10:00:00.000000Z',
        droppedBefore: null,
        until: '2026-02-07T00:00:00.000000Z',
        asOf: '2026-02-07T00:00:00.000000Z',
        capture: 'streaming',
      },
    },
    counts: { sheets: 1, clipped: 0 },
    createdAt: '2026-02-07T00:00:00.000000Z',
    version: '0',
  });
  expect(lines.find(({ label }) => label === 'Filters')!.text).toBe(
    'Modified by (key): 3\nActing as (key): contacts:7',
  );
  const told = lines.filter(({ label }) => ['Covers', 'Not covered'].includes(label));
  expect(told.map(({ text, isAlarm }) => [text.slice(0, 19), text.split(': ')[1], isAlarm])).toEqual([
    ['2026-02-01 10:00:00', undefined, undefined],
    ['2026-01-30 00:00:00', 'recording had not begun', true],
    [
      '2026-02-05 00:00:00',
      'at the request, it was not known whether all changes of this time were stored',
      true,
    ],
  ]);
});
