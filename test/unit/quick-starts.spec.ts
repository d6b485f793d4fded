import { expect, test } from '@jest/globals';
import { QuickStarts } from '../../src/exports/worker.js';

test('one run of a token in ten seconds begins quickly, whatever others do', () => {
  const quick = new QuickStarts();
  expect(quick.take('one', 0)).toBe(true);
  expect(quick.take('one', 9_999)).toBe(false);
  expect(quick.take('two', 9_999)).toBe(true);
  expect(quick.take('one', 10_000)).toBe(true);
  expect(quick.take('one', 10_001)).toBe(false);
});
