import { expect, test } from '@jest/globals';
import { BytesCache } from '../../src/pipeline/bytes-cache.js';
import { Tuple } from '../../src/pgoutput/tuple.js';

const row = new Tuple();

/**
 * A row with this key. It is always the same object; the key is at the start of its bytes or after others.
 */
function rowOf(key: string, before = ''): Tuple {
  row.bytes = Buffer.from(before + key);
  row.count = 1;
  row.offsets[0] = Buffer.byteLength(before);
  row.lengths[0] = Buffer.byteLength(key);
  return row;
}

/** More keys than the cache has places: some longer than it remembers, some the beginning of others. */
const KEYS = Array.from({ length: 20_000 }, (_, n) => `${n}`.padStart(1 + (n % 50), 'k'));

test('returns the number of a key, however many other keys were requested in between', () => {
  const cache = new BytesCache();
  const numbers = new Map(KEYS.map((key, number) => [key, number]));
  for (let round = 0; round < 2; round++) {
    for (const key of KEYS)
      expect(cache.get(rowOf(key), 0, (text) => numbers.get(text)!)).toBe(numbers.get(key));
  }
});

test('does not look up a key again right after it was requested, until the cache is cleared', () => {
  const cache = new BytesCache();
  const never = (): never => {
    throw new Error('looked up');
  };
  expect(cache.get(rowOf('7'), 0, () => 70)).toBe(70);
  expect(cache.get(rowOf(''), 0, () => 1)).toBe(1);
  expect(cache.get(rowOf('7'), 0, never)).toBe(70);
  expect(cache.get(rowOf(''), 0, never)).toBe(1);
  cache.clear();
  expect(cache.get(rowOf('7'), 0, () => 71)).toBe(71);
});

test('recognises a key at any position of its buffer', () => {
  const cache = new BytesCache();
  const keys = ['7', '47', '147', '2147', '2147483647', '\u00ff', '\u20ac\u20ac'];
  const places = ['', 'a', 'ab', 'abc', 'abcd', '\u00ff\u00ff\u00ff'];
  for (const [number, key] of keys.entries())
    for (const before of places) expect(cache.get(rowOf(key, before), 0, () => number)).toBe(number);
  for (const [number, key] of keys.entries()) expect(cache.get(rowOf(key), 0, () => -1)).toBe(number);
});
