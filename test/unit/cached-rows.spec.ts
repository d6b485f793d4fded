import { describe, expect, test } from '@jest/globals';
import { CachedRows } from '../../src/trail/read/cached-rows.js';
import type { Query } from '../../src/trail/read/plans.js';

const MOST = 10;
const query = (() => Promise.reject(new Error('no statement is sent'))) as unknown as Query;

/** A cache of square numbers, and the keys that it has asked for. */
function squares(): { readonly rows: CachedRows<number, number>; readonly asked: number[] } {
  const asked: number[] = [];
  const rows = new CachedRows<number, number>({
    most: MOST,
    read: (_, keys) => {
      asked.push(...keys);
      return Promise.resolve(keys.filter((key) => key >= 0).map((key) => [key, key ** 2] as const));
    },
  });
  return { rows, asked };
}

describe('a cache of rows', () => {
  test('reads an existing row once, and asks for a missing row each time', async () => {
    const { rows, asked } = squares();
    expect(await rows.get(query, [2, 3, 2, -1])).toEqual(
      new Map([
        [2, 4],
        [3, 9],
      ]),
    );
    expect(await rows.get(query, new Set([3, 4, -1]))).toEqual(
      new Map([
        [3, 9],
        [4, 16],
      ]),
    );
    expect(asked).toEqual([2, 3, -1, 4, -1]);
  });

  test('keeps rows that are used, however many others are read', async () => {
    const { rows, asked } = squares();
    for (let key = 1; key <= 100 * MOST; key++)
      expect((await rows.get(query, [0, key])).get(key)).toBe(key ** 2);
    expect(asked.filter((key) => key === 0)).toHaveLength(1);
  });

  test('drops the least recently used rows to stay within its limit', async () => {
    const { rows, asked } = squares();
    const all = Array.from({ length: 10 * MOST }, (_, key) => key);
    expect((await rows.get(query, all)).size).toBe(all.length);
    asked.length = 0;
    for (const key of all.toReversed()) await rows.get(query, [key]);
    expect(all.length - asked.length).toBeLessThanOrEqual(MOST);
    expect(all.length - asked.length).toBeGreaterThanOrEqual(MOST / 2);
  });
});
