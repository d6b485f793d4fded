import { expect, test } from '@jest/globals';
import { BytesCache } from '../../src/pipeline/bytes-cache.js';
import { Tuple } from '../../src/pgoutput/tuple.js';

const row = new Tuple();

/** The row with this key, the same object each time: at the beginning of its bytes, or behind others. */
function rowOf(key: string, before = ''): Tuple {
  row.bytes = Buffer.from(before + key);
  row.count = 1;
  row.offsets[0] = Buffer.byteLength(before);
  row.lengths[0] = Buffer.byteLength(key);
  return row;
}

/**
 * More than there are places, in lengths on both sides of what is remembered, with prefixes of each other.
 */
const KEYS = Array.from({ length: 20_000 }, (_, n) => `${n}`.padStart(1 + (n % 50), 'k'));

test('a key leads to its own number however many others were asked for in between', () => {
  const cache = new BytesCache();
  const numbers = new Map(KEYS.map((key, number) => [key, number]));
  for (let round = 0; round < 2; round++) {
    for (const key of KEYS)
      expect(cache.get(rowOf(key), 0, (text) => numbers.get(text)!)).toBe(numbers.get(key));
  }
});

test('a key that was just asked for is not looked up again, until the cache is cleared', () => {
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

test('a key is the same wherever it stands', () => {
  const cache = new BytesCache();
  const keys = ['7', '47', '147', '2147', '2147483647', '\u00ff', '\u20ac\u20ac'];
  const places = ['', 'a', 'ab', 'abc', 'abcd', '\u00ff\u00ff\u00ff'];
  for (const [number, key] of keys.entries())
    for (const before of places) expect(cache.get(rowOf(key, before), 0, () => number)).toBe(number);
  for (const [number, key] of keys.entries()) expect(cache.get(rowOf(key), 0, () => -1)).toBe(number);
});
