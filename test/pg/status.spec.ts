import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { Status } from '../../src/doctor/status.js';
import { captureGround, saidCurrent, type CaptureGround } from '../support/capture.ts';
import { waltrail } from '../support/command.ts';
import { freshDatabase } from '../support/database.ts';
import { until } from '../support/until.ts';

const NOWHERE = 'postgres://nobody@127.0.0.1:1/none';
let folder: string;
let ground: CaptureGround;

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'waltrail-test-'));
  ground = await captureGround({
    schemaSql: 'create table agents (id int primary key, name text)',
    yaml: 'tables: { public.agents: { entity: agent } }',
  });
  await ground.source.query(`insert into agents values (1, 'Dana'), (2, 'Omer')`);
  await ground.caughtUp();
  await saidCurrent(ground.trail);
});
afterAll(async () => {
  await ground[Symbol.asyncDispose]();
  await rm(folder, { recursive: true });
});

async function status(
  urls: { readonly source?: string; readonly trail?: string } = {},
  words: readonly string[] = ['--json'],
) {
  const file = path.join(folder, 'w.yaml');
  await writeFile(
    file,
    `source: { name: test, url: "\${WALTRAIL_SOURCE_URL}", slot: slot_${ground.source.name} }
trail: { url: "\${WALTRAIL_TRAIL_URL}" }
tables: { public.agents: { entity: agent } }
`,
  );
  return waltrail(['status', ...words], {
    WALTRAIL_CONFIG: file,
    WALTRAIL_SOURCE_URL: urls.source ?? ground.source.url,
    WALTRAIL_TRAIL_URL: urls.trail ?? ground.trail.url,
  });
}

test('status shows the state of capture, from source and trail', async () => {
  const { code, output, errors } = await status();
  const found = JSON.parse(output) as Status;
  expect([code, errors]).toEqual([0, '']);
  expect(found).toMatchObject({
    state: 'streaming',
    lagBytes: expect.any(Number),
    lagSeconds: expect.any(Number),
    walBytesPerSecond: expect.any(Number),
    slot: { name: `slot_${ground.source.name}`, active: true, invalidation: { is: 'never' } },
    capture: { pid: expect.any(Number), since: expect.stringMatching(/^20/) },
    entries: 2,
    gaps: { open: 0, accepted: 0, stream: false },
    configuration: 'in effect',
    recent: [{ entityType: 'agent', entries: 2 }],
    unreachable: [],
  });
  expect((await status({}, [])).output).toMatch(/^capture +streams; the lock of capture is held from/);
});

test('status shows what one side knows when the other does not answer', async () => {
  const noSource = await status({ source: NOWHERE });
  expect([noSource.code, JSON.parse(noSource.output)]).toMatchObject([
    0,
    { state: 'streaming', lagBytes: null, slot: null, entries: 2, unreachable: [{ side: 'source' }] },
  ]);
  const noTrail = await status({ trail: NOWHERE });
  expect([noTrail.code, JSON.parse(noTrail.output)]).toMatchObject([
    3,
    { state: 'unknown', slot: { active: true }, recent: null, unreachable: [{ side: 'trail' }] },
  ]);
});

test('status exits with 1 when nothing captures, and with --watch repeats until it is interrupted', async () => {
  await using empty = await freshDatabase('empty');
  const notBegun = await status({ trail: empty.url });
  expect([notBegun.code, JSON.parse(notBegun.output)]).toMatchObject([1, { state: 'not begun' }]);
  expect((await status({}, ['--watch', '0'])).code).toBe(2);

  await ground.capture.stop();
  const before = process.listenerCount('SIGTERM');
  const watching = status({}, ['--watch', '1', '--json']);
  await until('the watch to listen', () => process.listenerCount('SIGTERM') > before);
  const [interrupted] = process.listeners('SIGTERM').slice(-1);
  interrupted!('SIGTERM');
  const { code, output } = await watching;
  expect([code, JSON.parse(output)]).toMatchObject([1, { state: 'nobody captures', capture: null }]);
});
