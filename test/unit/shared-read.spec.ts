import { expect, test } from '@jest/globals';
import { sharedRead } from '../../src/trail/read/shared-read.js';

test('a request during a read shares the next read, so its answer is never older than the request', async () => {
  let reads = 0;
  const ends: (() => void)[] = [];
  const read = sharedRead(() => {
    const number = ++reads;
    return new Promise<number>((resolve) => ends.push(() => resolve(number)));
  });
  const first = read();
  const others = [read(), read(), read()];
  expect(reads).toBe(1);
  ends[0]!();
  await expect(first).resolves.toBe(1);
  await new Promise((resolve) => setTimeout(resolve, 0));
  expect(reads).toBe(2);
  const late = read();
  ends[1]!();
  await expect(Promise.all(others)).resolves.toEqual([2, 2, 2]);
  await new Promise((resolve) => setTimeout(resolve, 0));
  ends[2]!();
  await expect(late).resolves.toBe(3);
});

test('a failed read fails for everyone who shares it, and the next read takes place', async () => {
  let reads = 0;
  const read = sharedRead(() => (++reads === 1 ? Promise.reject(new Error('away')) : Promise.resolve(reads)));
  const first = read();
  const second = read();
  await expect(first).rejects.toThrow('away');
  await expect(second).resolves.toBe(2);
  await expect(read()).resolves.toBe(3);
});
