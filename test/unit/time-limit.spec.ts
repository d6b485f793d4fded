import { setMaxListeners } from 'node:events';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { setTimeout as delay } from 'node:timers/promises';
import { expect, test } from '@jest/globals';
import { withTimeLimit } from '../../src/pg/time-limit.js';

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

/** Waits only for its signal. */
const waiting = (signal: AbortSignal): Promise<string> =>
  new Promise((resolve) => signal.addEventListener('abort', () => resolve((signal.reason as Error).name)));

test('ends work after its time, even if nothing refers to the signal and garbage is collected', async () => {
  const outer = new AbortController();
  setMaxListeners(50, outer.signal);
  const ends = Array.from({ length: 50 }, () =>
    withTimeLimit({ signal: outer.signal, limitMs: 100 }, waiting),
  );
  for (let round = 0; round < 5; round++) {
    collect();
    await delay(5);
  }
  expect(new Set(await Promise.all(ends))).toEqual(new Set(['TimeoutError']));
});

test('ends work with the outer signal, even one that was aborted before, and ends together with the work', async () => {
  const outer = new AbortController();
  const ending = withTimeLimit({ signal: outer.signal, limitMs: 60_000 }, waiting);
  outer.abort(new RangeError('over'));
  expect(await ending).toBe('RangeError');
  const late = withTimeLimit({ signal: outer.signal, limitMs: 60_000 }, (signal) =>
    Promise.resolve(signal.aborted),
  );
  expect(await late).toBe(true);
  await expect(
    withTimeLimit({ signal: new AbortController().signal, limitMs: 60_000 }, () =>
      Promise.reject(new Error('of the work')),
    ),
  ).rejects.toThrow('of the work');
});
