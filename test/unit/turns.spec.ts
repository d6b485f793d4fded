import { expect, test } from '@jest/globals';
import { Turns } from '../../src/admin/routes/turns.js';

const never = new Promise<never>(() => undefined);

test('a refusal is delayed, so a client that immediately retries is not refused hundreds of times a second', async () => {
  const turns = new Turns({ atOnce: 1, forAdmins: 0, forToken: 1, waiting: 0 });
  const asker = { tokenId: 'greedy', role: 'viewer' } as const;
  let end = (): void => undefined;
  const working = turns.run(asker, () => new Promise<void>((resolve) => (end = resolve)), never);
  const until = performance.now() + 1_200;
  let refused = 0;
  while (performance.now() < until) {
    await expect(turns.run(asker, () => Promise.resolve(), never)).rejects.toMatchObject({
      code: 'HTTP_TOKEN_BUSY',
      details: { retryAfterSeconds: 1 },
    });
    refused += 1;
  }
  expect(refused).toBeLessThanOrEqual(3);
  end();
  await working;
});

test('refusals wait only in a bounded number, and not for clients that have left', async () => {
  const turns = new Turns({ atOnce: 1, forAdmins: 0, forToken: 1, waiting: 0 });
  const asker = { tokenId: 'greedy', role: 'viewer' } as const;
  let end = (): void => undefined;
  const working = turns.run(asker, () => new Promise<void>((resolve) => (end = resolve)), never);
  const gone = Promise.reject(new Error('gone'));
  gone.catch(() => undefined);
  await expect(turns.run(asker, () => Promise.resolve(), gone)).rejects.toThrow('gone');
  let answered = 0;
  const all = Array.from({ length: 250 }, () =>
    turns.run(asker, () => Promise.resolve(), never).catch(() => (answered += 1)),
  );
  await new Promise((resolve) => setImmediate(resolve));
  expect(answered).toBe(50);
  await Promise.all(all);
  expect(answered).toBe(250);
  end();
  await working;
});
