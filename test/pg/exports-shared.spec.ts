import { expect, test } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { ExportBody } from '../../src/api/requests.js';
import type { Requester } from '../../src/exports/export.js';
import { ALL, exportGround } from '../support/exports.ts';
import { until } from '../support/until.ts';

const FEW_ENTRIES = 5_000;

const exporter = (name: string): Requester => ({
  tokenId: randomUUID(),
  name,
  role: 'exporter',
  tenant: null,
});

test('three workers give every token its turn: one export does not wait for the four of another token', async () => {
  await using ground = await exportGround({ backend: 'postgres', entries: FEW_ENTRIES });
  const wanted: [requester: Requester, count: number][] = [
    [exporter('four'), 4],
    [exporter('two'), 2],
    [exporter('one'), 1],
  ];
  for (const [requester, count] of wanted)
    for (let index = 0; index < count; index++)
      await ground.exports.create(ExportBody.parse({ ...ALL, format: 'csv' }), { requester });
  for (let worker = 0; worker < 3; worker++) await ground.spawnWorker();
  const rows = async () =>
    ground.db.query<{ who: string; state: string; began: number; ended: number }>(
      `select requested_by as who, state, extract(epoch from started_at)::float8 as began, extract(epoch from finished_at)::float8 as ended
         from trail.export order by started_at`,
    );
  await until('all exports', async () => (await rows()).every(({ state }) => state === 'ready'), 180_000);
  const runs = await rows();
  const beganOf = (who: string): number[] => runs.filter((run) => run.who === who).map(({ began }) => began);
  const [four, two, one] = ['four', 'two', 'one'].map(beganOf);
  // In the first round each token has one turn, in the second those that asked for more.
  expect(one![0]).toBeLessThan(four![1]!);
  expect(two![0]).toBeLessThan(four![1]!);
  expect(two![1]).toBeLessThan(four![2]!);
  for (const who of ['four', 'two']) {
    const own = runs.filter((run) => run.who === who);
    for (const [index, { ended }] of own.slice(0, -1).entries())
      expect(ended).toBeLessThanOrEqual(own[index + 1]!.began);
  }
});
