import { setTimeout as delay } from 'node:timers/promises';
import { expect, test } from '@jest/globals';
import { DayClock } from '../../src/trail/read/snapshot.js';

test('statements for one day together get the time limit of one statement, and each day begins a new limit', async () => {
  const clock = new DayClock({ timeoutMs: 40 });
  clock.reads(7);
  clock.reads(7);
  await delay(60);
  clock.reads(6);
  clock.reads(6);
  await delay(60);
  expect(() => clock.reads(6)).toThrow(expect.objectContaining({ code: 'TRAIL_QUERY_TIMEOUT' }));
});
