import { expect, test } from '@jest/globals';
import { QuickStarts } from '../../src/exports/worker.js';

test('one run of a token in half a minute begins quickly, whatever others do', () => {
  const quick = new QuickStarts();
  expect(quick.take('one', 0)).toBe(true);
  expect(quick.take('one', 29_999)).toBe(false);
  expect(quick.take('two', 29_999)).toBe(true);
  expect(quick.take('one', 30_000)).toBe(true);
  expect(quick.take('one', 30_001)).toBe(false);
});
