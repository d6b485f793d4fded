import { setTimeout as delay } from 'node:timers/promises';
import { expect, test } from '@jest/globals';
import { DayClock } from '../../src/trail/read/snapshot.js';

test('many statements for one day take no longer than one may, and each day begins anew', async () => {
  const clock = new DayClock({ timeoutMs: 40 });
  clock.reads(7);
  clock.reads(7);
  await delay(60);
  clock.reads(6);
  clock.reads(6);
  await delay(60);
  expect(() => clock.reads(6)).toThrow(expect.objectContaining({ code: 'TRAIL_QUERY_TIMEOUT' }));
});
